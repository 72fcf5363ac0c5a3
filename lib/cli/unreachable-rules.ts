import { parsePattern, type PatternSegment } from '../routing/pattern.js'
import type { RequestTarget } from '../routing/request-path.js'
import type { Routing } from '../routing/router-options.js'
import { RuleSet, type Rule } from '../routing/rule-set.js'

/** A method that no rule can name. */
const OTHER_METHOD = 'X'.repeat(40)

type Request = Omit<RequestTarget, 'params'>

/**
 * Finds rules that never apply, because others have every request first.
 *
 * One request tells for many: if any is left to a rule, so is one that has a segment which no rule names wherever the rule
 * has a wildcard, since nothing but wildcards matches that. What a last `*` takes counts up to the longest pattern.
 */
export class Reach {
  readonly #rules: RuleSet<Rule>
  readonly #longest: number
  /** A segment that is in no pattern. */
  readonly #other: string

  /** Throws FST_SLUICE_BAD_OPTION where a `match` is no pattern. */
  constructor (rules: readonly Rule[], routing: Routing) {
    this.#rules = new RuleSet(rules, routing)
    this.#longest = Math.max(0, ...rules.map(({ match }) => segmentsOf(match).length))
    this.#other = otherText(rules)
  }

  /** Names of the rules that have every request of a rule before it does; `null` where some request is left to it. */
  rulesBefore (rule: Rule): string[] | null {
    const names = new Set<string>()
    for (const request of this.#tellingRequests(rule)) {
      const winner = this.#rules.forUnknown(request)
      if (winner === null || winner === rule) return null
      names.add(winner.name)
    }
    return [...names]
  }

  * #tellingRequests ({ match, methods = [OTHER_METHOD] }: Rule): Generator<Request> {
    const segments = segmentsOf(match)
    const path = segments.filter(({ kind }) => kind !== 'rest').map((segment) => segment.kind === 'text' ? encodeURIComponent(segment.text) : this.#other)
    const longest = segments.at(-1)?.kind === 'rest' ? this.#longest + 1 : path.length
    // The longest first: mostly it is left to the rule, and nothing more need be asked.
    for (let length = longest; length >= path.length; length--) {
      const rest = Array<string>(length - path.length).fill(this.#other)
      for (const method of methods) yield { method, url: `/${[...path, ...rest].join('/')}` }
    }
  }
}

function segmentsOf (match: string): readonly PatternSegment[] {
  const pattern = parsePattern(match)
  return 'mistake' in pattern ? [] : pattern.segments
}

function otherText (rules: readonly Rule[]): string {
  let text = 'other'
  while (rules.some(({ match }) => match.includes(text))) text += '-'
  return text
}
