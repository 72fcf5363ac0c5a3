import { MAX_SEGMENTS, type PathSegments } from './pattern.js'
import type { RouteShape } from './route-shape.js'
import type { RouterOptions } from './router-options.js'

/** What is read of a request; a FastifyRequest is one. */
export interface RequestTarget {
  readonly method: string
  /** As it was routed, so after `rewriteUrl`. */
  readonly url: string
  readonly params: unknown
}

/**
 * The path of a request to a route, in every way in which the route's handler may read it; mostly there is one.
 *
 * It is put together from the route's pattern and the parameters, so it is what the router saw, however it was spelt.
 * Only what a `*` took has several readings: file servers and proxies drop empty and `.` segments and resolve `..`, by
 * the whole path or below the `*`; the last reading is the literal one. Time linear in the path's length.
 */
export function interpretRoutePath (route: RouteShape, { params, url }: RequestTarget, options: RouterOptions): PathSegments[] {
  const base = readSegments(route, params, options)
  if (route.beforeRest === null) return [base]
  const wildcard = findParam(params, '*')
  if (wildcard === null) return interpretRawPath(url, options)
  const rest = route.beforeRest + foldCase(route.isBareWildcard ? wildcard.replace(/^\//, '') : wildcard, options)
  const literal = [...base, ...rest.split('/', MAX_READ_SEGMENTS)]
  if (!NEEDS_NORMALIZING.test(rest)) return [literal]
  const below = resolveDots(base, rest, base.length)
  return rest.includes('..') ? [resolveDots(base, rest, 0), below, literal] : [below, literal]
}

/** The path of a request to an unknown URL: tidied up, and, where that makes a difference, as it was sent. */
export function interpretRawPath (url: string, options: RouterOptions): PathSegments[] {
  const raw = extractPath(url, options)
  const literal = raw.split('/', MAX_READ_SEGMENTS).map((segment) => foldCase(decodeSegment(segment), options))
  const path = foldCase(decodeSegment(raw), options)
  return NEEDS_NORMALIZING.test(path) || /%2f/i.test(raw) ? [resolveDots([], path, 0), literal] : [literal]
}

/** No pattern can tell longer paths apart, so what is beyond is not kept. */
const MAX_READ_SEGMENTS = MAX_SEGMENTS + 1

/** An empty segment, `.`, `..` or a backslash, which URLs of the web take for a slash. */
const NEEDS_NORMALIZING = /\\|(?:^|\/)\.{0,2}(?:\/|$)/

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

/** `null` where a schema has taken it away. */
function findParam (params: unknown, name: string): string | null {
  if (typeof params !== 'object' || params === null || !Object.hasOwn(params, name)) return null
  const value: unknown = Reflect.get(params, name)
  // A schema may have made a number of it.
  return typeof value === 'object' || typeof value === 'function' || value === undefined ? null : String(value)
}

/** Drop empty and `.` segments, and let `..` take one back until only `kept` are left. */
function resolveDots (base: PathSegments, path: string, minDepth: number): PathSegments {
  const segments = [...base]
  let depth = base.length
  // By character: paths of nothing but slashes are sent to cost time.
  for (let start = 0, end = 0; end <= path.length; end++) {
    if (end < path.length && path[end] !== '/' && path[end] !== '\\') continue
    const length = end - start
    if (length === 2 && path[start] === '.' && path[start + 1] === '.') {
      if (depth > minDepth) depth--
      if (segments.length > depth) segments.length = depth
    } else if (length > 1 || (length === 1 && path[start] !== '.')) {
      if (depth < MAX_READ_SEGMENTS) segments.push(path.slice(start, end))
      depth++
    }
    start = end + 1
  }
  return segments
}

/** What the router looks up, without its first slash. */
function extractPath (url: string, { endsAtSemicolon }: RouterOptions): string {
  const authority = url.startsWith('/') ? null : /^https?:\/\/[^/?#]*/i.exec(url)
  const target = authority === null ? url : url.slice(authority[0].length)
  // The router passes over the first character, whatever it is. A query may follow the authority at once.
  const start = authority !== null && !target.startsWith('/') ? 0 : 1
  const end = target.slice(start).search(endsAtSemicolon ? /[?#;]/ : /[?#]/)
  return end === -1 ? target.slice(start) : target.slice(start, start + end)
}

function decodeSegment (segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function foldCase (text: string, { isCaseSensitive }: RouterOptions): string {
  return isCaseSensitive ? text : text.toLowerCase()
}
