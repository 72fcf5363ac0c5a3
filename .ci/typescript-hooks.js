import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transpiled } from './transpile.js'

// A test file loads some 400 modules of packages, over which Node's own hooks and tap's take longer than running them does.
// So they are not asked where there is nothing to find out.
const isOfPackage = (url) => url?.startsWith('file:') && url.includes('/node_modules/')

export async function resolve (specifier, context, nextResolve) {
  const { parentURL } = context
  if (isOfPackage(parentURL)) {
    if (!/^\.{1,2}\/.*\.mjs$/.test(specifier)) return await nextResolve(specifier, context)
    return { url: new URL(specifier, parentURL).href, format: 'module', shortCircuit: true }
  }
  // As in TypeScript, an import of "./hook.js" finds the file "hook.ts".
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && parentURL?.startsWith('file:')) {
    const source = new URL(specifier.replace(/js$/, 'ts'), parentURL)
    if (existsSync(source)) return { url: source.href, format: 'module', shortCircuit: true }
  }
  return await nextResolve(specifier, context)
}

export async function load (url, context, nextLoad) {
  if (isOfPackage(url) && context.format === 'module') {
    return { format: 'module', source: readFileSync(fileURLToPath(url)), shortCircuit: true }
  }
  const { protocol, pathname } = new URL(url)
  if (protocol !== 'file:' || !pathname.endsWith('.ts')) return await nextLoad(url, context)
  return { format: 'module', source: await transpiled(fileURLToPath(url)), shortCircuit: true }
}
