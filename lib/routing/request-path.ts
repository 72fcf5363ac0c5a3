import { decode, interpretAmbiguousPath, isAmbiguous, MAX_READ_SEGMENTS, MAX_SPLIT_SEGMENTS } from './interpretations.js'
import type { PathSegments } from './pattern.js'
import type { RouteShape } from './route-shape.js'
import type { RouterOptions } from './router-options.js'

/** The parts of a FastifyRequest that select a rule. */
export interface RequestTarget {
  readonly method: string
  /** The URL that was routed, after `rewriteUrl`. */
  readonly url: string
  readonly params: unknown
}

/**
 * All interpretations of the path of a request to a route. Usually there is only one.
 *
 * The path is built from the route's pattern and the parameters, so it is what the router matched, in any spelling. Only
 * the part matched by a `*` has several interpretations: see `interpretAmbiguousPath`. Linear in the length.
 */
export function interpretRoutePath (route: RouteShape, { params, url }: RequestTarget, options: RouterOptions): PathSegments[] {
  const base = readSegments(route, params, options)
  if (route.beforeRest === null) return [base]
  const wildcard = findParam(params, '*')
  if (wildcard === null) return interpretRawPath(url, options)
  const rest = route.beforeRest + foldCase(route.isBareWildcard ? wildcard.replace(/^\//, '') : wildcard, options)
  if (!isAmbiguous(rest) && !hasForeignBeginning(url)) return [[...base, ...rest.split('/', MAX_READ_SEGMENTS)]]
  return interpretAmbiguousPath(base, rest, readRawPaths(url, options), (text) => foldCase(text, options))
}

/** All interpretations of the path of an unknown URL. */
export function interpretRawPath (url: string, options: RouterOptions): PathSegments[] {
  const raw = extractPath(url, options)
  const segments = readRawSegments(raw, options)
  const path = foldCase(decode(raw), options)
  if (!isAmbiguous(path) && !/%2f/i.test(raw) && !hasForeignBeginning(url)) return [segments.slice(0, MAX_READ_SEGMENTS)]
  return interpretAmbiguousPath([], path, readRawPaths(url, options), (text) => foldCase(text, options))
}

/** The path of a URL as the router compares it with routes without parameters. */
export function readStaticPath (url: string, options: RouterOptions): string {
  const raw = `/${extractPath(url, options)}`
  const path = foldCase(raw.includes('%') ? decodeUnreserved(raw) : raw, options)
  const joined = options.ignoresDuplicateSlashes ? path.replace(/\/{2,}/g, '/') : path
  return options.ignoresTrailingSlash && joined.length > 1 && joined.endsWith('/') ? joined.slice(0, -1) : joined
}

/** `%2F` stays, as in the router. */
function decodeUnreserved (path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}

/** The whole path as the router finds it in the URL; and as a URL parser does, which takes what begins with `//` for a host. */
function readRawPaths (url: string, options: RouterOptions): string[][] {
  const targets = [extractPath(url, options)]
  if (hasForeignBeginning(url)) {
    const withoutScheme = url.replace(/^[a-z][a-z\d+.-]*:/i, '').replace(/[?#].*$/s, '')
    for (const path of [withoutScheme, withoutScheme.replace(/^[/\\]{2,}[^/\\]*/, '')]) targets.push(path.replace(/^[/\\]/, ''))
  }
  return targets.map((target) => readRawSegments(target, options))
}

/** Whether a URL begins with a scheme or a host that the router does not recognize. */
function hasForeignBeginning (url: string): boolean {
  if (url.startsWith('/')) return url[1] === '/' || url[1] === '\\'
  return /^(?:[a-z][a-z\d+.-]*:|\\)/i.test(url) && !/^https?:\/\/[^/\\?#]*(?:[/?#]|$)/i.test(url)
}

/** The segments between the slashes that were sent as such. */
function readRawSegments (raw: string, options: RouterOptions): string[] {
  return raw.split('/', MAX_SPLIT_SEGMENTS).map((segment) => foldCase(decode(segment), options))
}

function readSegments (route: RouteShape, params: unknown, options: RouterOptions): Array<string | null> {
  const values = route.segments.map(({ parts }) => {
    let text = ''
    for (const part of parts) {
      const value = typeof part === 'string' ? part : part.isReadable ? findParam(params, part.name) : null
      if (value === null) return null
      text += value
    }
    return foldCase(text, options)
  })
  const last = route.segments.at(-1)?.parts[0]
  if (route.hasOptionalEnd && typeof last === 'object' && findParam(params, last.name) === null) values.pop()
  return values
}

/** `null` if a schema has removed the parameter. */
function findParam (params: unknown, name: string): string | null {
  if (typeof params !== 'object' || params === null || !Object.hasOwn(params, name)) return null
  const value: unknown = Reflect.get(params, name)
  // A schema may have converted it to a number.
  return typeof value === 'object' || typeof value === 'function' || value === undefined ? null : String(value)
}

/** The path that the router matches, without its first slash. */
function extractPath (url: string, { endsAtSemicolon }: RouterOptions): string {
  const authority = url.startsWith('/') ? null : /^https?:\/\/[^/?#]*/i.exec(url)
  const target = authority === null ? url : url.slice(authority[0].length)
  // The router skips the first character, whatever it is. A query may directly follow the authority.
  const start = authority !== null && !target.startsWith('/') ? 0 : 1
  const end = target.slice(start).search(endsAtSemicolon ? /[?#;]/ : /[?#]/)
  return end === -1 ? target.slice(start) : target.slice(start, start + end)
}

function foldCase (text: string, { isCaseSensitive }: RouterOptions): string {
  return isCaseSensitive ? text : text.toLowerCase()
}
