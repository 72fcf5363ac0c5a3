import { MAX_SEGMENTS, type PathSegments } from './pattern.js'
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
 * the part matched by a `*` has several interpretations: file servers and proxies drop empty and `.` segments and
 * resolve `..`, in the whole path or below the `*`. The last interpretation is the literal one. Linear in the length.
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

/** The interpretations of the path of an unknown URL: normalized, and if that differs, also literal. */
export function interpretRawPath (url: string, options: RouterOptions): PathSegments[] {
  const raw = extractPath(url, options)
  const literal = raw.split('/', MAX_READ_SEGMENTS).map((segment) => foldCase(decodeSegment(segment), options))
  const path = foldCase(decodeSegment(raw), options)
  return NEEDS_NORMALIZING.test(path) || /%2f/i.test(raw) ? [resolveDots([], path, 0), literal] : [literal]
}

/** No pattern can distinguish longer paths, so further segments are dropped. */
const MAX_READ_SEGMENTS = MAX_SEGMENTS + 1

/** An empty segment, `.`, `..` or a backslash, which the URL standard treats as a slash. */
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

/** `null` if a schema has removed the parameter. */
function findParam (params: unknown, name: string): string | null {
  if (typeof params !== 'object' || params === null || !Object.hasOwn(params, name)) return null
  const value: unknown = Reflect.get(params, name)
  // A schema may have converted it to a number.
  return typeof value === 'object' || typeof value === 'function' || value === undefined ? null : String(value)
}

/** Drop empty and `.` segments. Each `..` removes the segment before it, down to `minDepth` segments. */
function resolveDots (base: PathSegments, path: string, minDepth: number): PathSegments {
  const segments = [...base]
  let depth = base.length
  // Character by character, without `split`: attackers send paths of many slashes to waste time.
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

/** The path that the router matches, without its first slash. */
function extractPath (url: string, { endsAtSemicolon }: RouterOptions): string {
  const authority = url.startsWith('/') ? null : /^https?:\/\/[^/?#]*/i.exec(url)
  const target = authority === null ? url : url.slice(authority[0].length)
  // The router skips the first character, whatever it is. A query may directly follow the authority.
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
