import { parseJson } from '../../common/parse-json.js'
import { TENTHS } from './limit-traffic.js'
import { CONCURRENCY } from './summarize.js'
import type { LimitSummary, TrafficSummary } from './traffic-summary.js'
import type { LimitView } from './traffic-views.js'

/** Limits that are shown. */
const MAX_LIMITS = 100

/** Add up the limits of instances by their buckets. The numbers of a limit are those of the first summary with it. */
export function mergeLimits (summaries: readonly TrafficSummary[]): LimitView[] {
  const merged = new Map<string, LimitView>()
  for (const { limits } of summaries) {
    for (const summary of limits) {
      const [bucket] = summary
      const view = toView(summary)
      const known = merged.get(bucket)
      merged.set(bucket, known === undefined ? view : addView(known, view))
    }
  }
  return [...merged.values()].sort((a, b) => b.refused - a.refused || b.bound - a.bound).slice(0, MAX_LIMITS)
}

function toView ([bucket, mode, max, window, inFlight, canSimulate, refused, bound, utilisation]: LimitSummary): LimitView {
  const isConcurrency = window === CONCURRENCY
  return {
    bucket,
    ...parseBucket(bucket),
    mode,
    max,
    windowMs: typeof window === 'number' ? window : null,
    period: typeof window === 'string' && !isConcurrency ? window : null,
    isConcurrency,
    inFlight,
    refused,
    bound,
    utilisation: Array.from({ length: TENTHS }, (_, tenth) => utilisation[tenth] ?? 0),
    canSimulate: canSimulate === 1
  }
}

function addView (known: LimitView, view: LimitView): LimitView {
  return {
    ...known,
    inFlight: known.inFlight === null ? view.inFlight : known.inFlight + (view.inFlight ?? 0),
    refused: known.refused + view.refused,
    bound: known.bound + view.bound,
    utilisation: known.utilisation.map((count, tenth) => count + view.utilisation[tenth]),
    canSimulate: known.canSimulate || view.canSimulate
  }
}

/** The names in the text of a bucket, which the policies compile: registration, scope, name, and the tier. */
function parseBucket (bucket: string): Pick<LimitView, 'scope' | 'tier' | 'name'> {
  const [, scope, ...names] = parseStrings(bucket)
  // A concurrency limit has `null` before its name.
  const [name = '', mark, tier] = names[0] === '' ? names.slice(1) : names
  return { scope: scope ?? '', tier: mark === 'tier' ? tier ?? null : null, name }
}

/** The elements of a JSON array of texts; `''` for every other one. */
function parseStrings (text: string): string[] {
  const parsed = parseJson(text)
  return Array.isArray(parsed) ? parsed.map((one) => typeof one === 'string' ? one : '') : []
}
