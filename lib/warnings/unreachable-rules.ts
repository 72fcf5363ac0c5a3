import { parsePattern, type PatternSegment } from '../routing/pattern.js'
import type { RequestTarget } from '../routing/request-path.js'
import type { RouterOptions } from '../routing/router-options.js'
import { RuleSet, type Rule } from '../routing/rule-set.js'

/** A method that no rule can name. */
const OTHER_METHOD = 'X'.repeat(40)

type SampleRequest = Omit<RequestTarget, 'params'>

/**
 * Finds rules that never apply, because other rules match every request first.
 *
 * A few sample requests are enough. A sample has, for each wildcard of the rule, a segment that no rule names; only
 * wildcards match such a segment. If any request reaches the rule, so does one of the samples. The segments for a last
 * `*` are sampled up to one more than the longest pattern has.
 */
export class RuleReachability {
  readonly #rules: RuleSet<Rule>
  readonly #maxSegments: number
  /** A segment that is in no pattern. */
  readonly #other: string

  /** Throws FST_SLUICE_BAD_OPTION if a `match` is not a valid pattern. */
  constructor (rules: readonly Rule[], routing: RouterOptions) {
    this.#rules = new RuleSet(rules, routing)
    this.#maxSegments = Math.max(0, ...rules.map(({ match }) => parseSegments(match).length))
    this.#other = findUnusedText(rules)
  }

  /** Names of the rules that match every request of a rule before it; `null` if some request reaches the rule. */
  findPrecedingRules (rule: Rule): string[] | null {
    const names = new Set<string>()
    for (const request of this.#witnessRequests(rule)) {
      const winner = this.#rules.forUnknown(request)
      if (winner === null || winner === rule) return null
      names.add(winner.name)
    }
    return [...names]
  }

  * #witnessRequests ({ match, methods = [OTHER_METHOD] }: Rule): Generator<SampleRequest> {
    const segments = parseSegments(match)
    const path = segments.filter(({ kind }) => kind !== 'rest')
      .map((segment) => segment.kind === 'text' ? encodeURIComponent(segment.text) : this.#other)
    const maxLength = segments.at(-1)?.kind === 'rest' ? this.#maxSegments + 1 : path.length
    // The longest first: it usually reaches the rule, and then no other sample is needed.
    for (let length = maxLength; length >= path.length; length--) {
      const rest = Array<string>(length - path.length).fill(this.#other)
      for (const method of methods) yield { method, url: `/${[...path, ...rest].join('/')}` }
    }
  }
}

function parseSegments (match: string): readonly PatternSegment[] {
  const pattern = parsePattern(match)
  return 'mistake' in pattern ? [] : pattern.segments
}

function findUnusedText (rules: readonly Rule[]): string {
  let text = 'other'
  while (rules.some(({ match }) => match.includes(text))) text += '-'
  return text
}
