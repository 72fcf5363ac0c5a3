/*
 * The registry of prom-client, by its file: the entry of prom-client also loads default metrics, quantiles and a push gateway,
 * which take ten times as long. The class is the same. package.json allows only patches of prom-client, because a minor version could
 * move the file.
 */
declare module 'prom-client/lib/registry.js' {
  export { Registry as default } from 'prom-client'
}
