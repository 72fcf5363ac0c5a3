import { badOption } from '../config/schema/check.js'
import { compareSpecificity, toLowerCasePattern, matchesPath, parsePattern, type PathSegments, type Pattern } from './pattern.js'
import { interpretRoutePath, interpretRawPath, type RequestTarget } from './request-path.js'
import { type RouterOptions } from './router-options.js'
import { relate, parseRouteShape } from './route-shape.js'

/** The part of a rule that selects requests. */
export interface Rule {
  readonly name: string
  /** See `parsePattern`. */
  readonly match: string
  /** Default: every method. HEAD counts as GET. */
  readonly methods?: readonly string[]
  /** Whether it also applies to routes with limits of their own. Default false. */
  readonly override?: boolean
}

/** The rule of a route: fixed when it is declared, or selected for each request. */
export type Resolution<R> =
  | { readonly kind: 'fixed', readonly rule: R | null }
  | {
    readonly kind: 'by-request'
    /** Every rule that `pick` may return. */
    readonly rules: readonly R[]
    readonly pick: (request: RequestTarget) => R | null
  }

interface RuleEntry<R> {
  readonly rule: R
  readonly pattern: Pattern
  readonly methods: ReadonlySet<string> | null
  /** Lower goes first. Equal ranks: the order in the options decides. */
  rank: number
}

/** A rule that may apply to a route. */
interface Candidate<R> extends RuleEntry<R> {
  /** Whether it matches every path of the route, so that the path of the request is not needed. */
  readonly hasEveryPath: boolean
}

/**
 * Finds the most specific rule for a route or an unknown URL.
 *
 * The order is total: by pattern (`compareSpecificity`), then rules with methods before rules without, then the order in
 * the options. A path with several interpretations gets the most specific rule of all of them. Among equally specific
 * rules, the interpretation with resolved `..` decides. So no spelling of a path avoids its rule.
 */
export class RuleSet<R extends Rule> {
  readonly #entries: ReadonlyArray<RuleEntry<R>>
  readonly #routerOptions: RouterOptions

  /** `place`: of the rules, for errors. Throws FST_SLUICE_BAD_OPTION for an invalid `match`. */
  constructor (rules: readonly R[], routerOptions: RouterOptions, place = 'rateLimit.rules') {
    this.#routerOptions = routerOptions
    this.#entries = sortEntries(rules.map((rule, index) => {
      const pattern = compilePattern(rule.match, routerOptions, `${place}[${index}].match`)
      return { rule, pattern, methods: rule.methods === undefined ? null : new Set(rule.methods.map(normalizeMethod)), rank: 0 }
    }))
  }

  /**
   * Find the rule of a route by its full URL, prefixes included.
   *
   * `hasOwnLimits`: whether its config has limits or is `false`. Then only rules with `override` apply, even if a rule
   * without it is more specific.
   */
  forRoute (methods: readonly string[], url: string, hasOwnLimits = false): Resolution<R> {
    const shape = parseRouteShape(url, this.#routerOptions)
    const wantedMethods = [...new Set(methods.map(normalizeMethod))]
    const candidates: Array<Candidate<R>> = []
    for (const entry of this.#entries) {
      if (hasOwnLimits && entry.rule.override !== true) continue
      const named = wantedMethods.filter((method) => acceptsMethod(entry, method))
      const relation = relate(entry.pattern, shape)
      if (named.length === 0 || relation === 'never') continue
      candidates.push({ ...entry, hasEveryPath: relation === 'always' })
      // Rules after one that matches every request never apply.
      if (relation === 'always' && named.length === wantedMethods.length) break
    }
    const [first] = candidates
    if (first === undefined) return { kind: 'fixed', rule: null }
    if (first.hasEveryPath && wantedMethods.every((method) => acceptsMethod(first, method))) return { kind: 'fixed', rule: first.rule }
    const interpretations = candidates.every(({ hasEveryPath }) => hasEveryPath)
      ? () => ANY_PATH
      : (request: RequestTarget) => interpretRoutePath(shape, request, this.#routerOptions)
    return {
      kind: 'by-request',
      rules: candidates.map(({ rule }) => rule),
      pick: (request) => pick(candidates, normalizeMethod(request.method), interpretations(request))
    }
  }

  /** Find the rule of a request to an unknown URL. */
  forUnknown ({ method, url }: Omit<RequestTarget, 'params'>): R | null {
    if (this.#entries.length === 0) return null
    return pick(this.#entries, normalizeMethod(method), interpretRawPath(url, this.#routerOptions))
  }
}

/** One interpretation, for candidates that do not need the path. */
const ANY_PATH: readonly PathSegments[] = [[]]

/** Parse a pattern for the paths of this router. Throws FST_SLUICE_BAD_OPTION. */
export function compilePattern (text: string, { isCaseSensitive }: RouterOptions, place: string): Pattern {
  const pattern = parsePattern(text)
  if ('mistake' in pattern) throw badOption(place, `a pattern such as "/api/*/reports" (${pattern.mistake})`, text)
  return isCaseSensitive ? pattern : toLowerCasePattern(pattern)
}

function sortEntries<R> (entries: Array<RuleEntry<R>>): Array<RuleEntry<R>> {
  // Sorting is stable, so equally specific rules keep the order of the options.
  entries.sort(compareEntries)
  entries.forEach((entry, index) => {
    const previous = entries[index - 1]
    if (previous !== undefined) entry.rank = previous.rank + (compareEntries(previous, entry) === 0 ? 0 : 1)
  })
  return entries
}

function compareEntries<R> (a: RuleEntry<R>, b: RuleEntry<R>): number {
  return compareSpecificity(a.pattern, b.pattern) || Number(a.methods === null) - Number(b.methods === null)
}

function pick<R> (entries: ReadonlyArray<RuleEntry<R> | Candidate<R>>, method: string, interpretations: readonly PathSegments[]): R | null {
  let best: RuleEntry<R> | null = null
  for (const path of interpretations) {
    const found = entries.find((entry) => acceptsMethod(entry, method) &&
      (('hasEveryPath' in entry && entry.hasEveryPath) || matchesPath(entry.pattern, path)))
    if (found !== undefined && (best === null || found.rank < best.rank)) best = found
  }
  return best === null ? null : best.rule
}

function acceptsMethod<R> ({ methods }: RuleEntry<R>, method: string): boolean {
  return methods === null || methods.has(method)
}

function normalizeMethod (method: string): string {
  const name = method.toUpperCase()
  return name === 'HEAD' ? 'GET' : name
}
