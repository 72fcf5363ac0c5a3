import type { Pattern } from './pattern.js'
import type { RouterOptions } from './router-options.js'

interface Parameter {
  readonly name: string
  /** Whether its regular expression has groups. The router treats them as parameters of their own. */
  readonly hasGroups: boolean
  /** Whether `request.params` has the value from this position of the path. */
  isReadable: boolean
}

interface RouteSegment {
  /** Texts, and the parameters between them. */
  readonly parts: ReadonlyArray<string | Readonly<Parameter>>
  /** What it matches: its own text, any segment, or some segments, as `:from-:to` does. */
  readonly accepts: 'text' | 'any' | 'some'
}

/** The parsed pattern of a route, as Fastify's router reads it. */
export interface RouteShape {
  readonly segments: readonly RouteSegment[]
  /** Whether the last segment may be missing, as in `/:id?`. */
  readonly hasOptionalEnd: boolean
  /** For a wildcard route, the text before the `*` in its segment; otherwise `null`. */
  readonly beforeRest: string | null
  /** Whether the `*` also matches the first slash of the path, as in a route `*`. */
  readonly isBareWildcard: boolean
}

/** Whether a pattern matches all, some or none of a route's paths. */
export type Relation = 'always' | 'sometimes' | 'never'

/** Parse the pattern of a route that the router has accepted. A slash at the end is ignored. */
export function parseRouteShape (url: string, routerOptions: RouterOptions): RouteShape {
  const full = url.replace(/(\/:[^/()]*)\?\/?$/, '$1')
  const path = (routerOptions.ignoresDuplicateSlashes ? full.replace(/\/{2,}/g, '/') : full).replace(/^\//, '').replace(/\/$/, '')
  const segments = path === '' ? [] : splitSegments(path).map((text) => parseRouteSegment(text, routerOptions))
  markUnreadable(segments.flatMap(({ parts }) => parts).filter((part) => typeof part !== 'string'))
  const last = segments.at(-1)?.parts.at(-1)
  const isWildcard = segments.at(-1)?.accepts === 'text' && typeof last === 'string' && last.endsWith('*')
  if (isWildcard) segments.pop()
  return { segments, hasOptionalEnd: full !== url, beforeRest: isWildcard ? last.slice(0, -1) : null, isBareWildcard: url === '*' }
}

/** Split at the slashes outside of regular expressions. */
function splitSegments (path: string): string[] {
  if (!path.includes(':')) return path.split('/')
  const segments: string[] = []
  let start = 0
  for (let i = 0; i <= path.length; i++) {
    if (i === path.length || path[i] === '/') {
      segments.push(path.slice(start, i))
      start = i + 1
    } else if (path[i] === ':') {
      i = path[i + 1] === ':' ? i + 1 : parseParameter(path, i).end - 1
    }
  }
  return segments
}

function parseRouteSegment (segment: string, { isCaseSensitive }: RouterOptions): RouteSegment {
  if (!segment.includes(':')) return { parts: segment === '' ? [] : [isCaseSensitive ? segment : segment.toLowerCase()], accepts: 'text' }
  const parts: Array<string | Parameter> = []
  let text = ''
  const endText = (): void => {
    if (text !== '') parts.push(isCaseSensitive ? text : text.toLowerCase())
    text = ''
  }
  for (let i = 0; i < segment.length; i++) {
    if (segment[i] !== ':') {
      text += segment[i]
    } else if (segment[i + 1] === ':') {
      text += ':'
      i++
    } else {
      endText()
      const { parameter, end } = parseParameter(segment, i)
      parts.push(parameter)
      i = end - 1
    }
  }
  endText()
  if (parts.every((part) => typeof part === 'string')) return { parts, accepts: 'text' }
  return { parts, accepts: /^:[^-(./]*$/.test(segment) ? 'any' : 'some' }
}

/** Parse a name, and the regular expression in parentheses if there is one. */
function parseParameter (text: string, start: number): { parameter: Parameter, end: number } {
  let end = start + 1
  while (end < text.length && !'-(./'.includes(text[end])) end++
  const parameter = { name: text.slice(start + 1, end), hasGroups: false, isReadable: true }
  if (text[end] !== '(') return { parameter, end }
  const expression = text.slice(end, findClosingParenthesis(text, end))
  return { parameter: { ...parameter, hasGroups: /.\((?!\?[:=!])/.test(expression) }, end: end + expression.length }
}

/** The index after the parenthesis that closes the one at `start`. */
function findClosingParenthesis (text: string, start: number): number {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '(') depth++
    else if (text[i] === ')' && --depth === 0) return i + 1
  }
  return text.length
}

/** The router keeps the last of several parameters with one name. Groups shift the values of all following parameters. */
function markUnreadable (parameters: readonly Parameter[]): void {
  parameters.forEach((parameter, index) => {
    parameter.isReadable = !parameters.slice(0, index).some(({ hasGroups }) => hasGroups) &&
      !parameters.slice(index + 1).some(({ name }) => name === parameter.name)
  })
}

/** Find out which of a route's paths a pattern matches. `sometimes` is also returned if this is unknown. */
export function relate (pattern: Pattern, route: RouteShape): Relation {
  const relation = relateSegments(pattern, route, route.segments.length)
  if (!route.hasOptionalEnd) return relation
  return relation === relateSegments(pattern, route, route.segments.length - 1) ? relation : 'sometimes'
}

function relateSegments (pattern: Pattern, route: RouteShape, count: number): Relation {
  let relation: Relation = 'always'
  for (let i = 0; i < count; i++) {
    const wanted = pattern.segments[i]
    if (wanted === undefined) return 'never'
    if (wanted.kind === 'rest') return relation
    if (wanted.kind === 'one') continue
    const { accepts, parts } = route.segments[i]
    if (accepts !== 'text') relation = 'sometimes'
    else if (wanted.text !== parts.join('')) return 'never'
  }
  const next = pattern.segments[count]
  if (next?.kind === 'rest') return relation
  if (route.beforeRest !== null) return next === undefined && route.beforeRest !== '' ? 'never' : 'sometimes'
  return next === undefined ? relation : 'never'
}
