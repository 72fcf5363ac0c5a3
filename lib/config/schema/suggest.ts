/** The known word closest to a mistyped word, or `null` when no word is close. */
export function suggestNearest (word: string, known: readonly string[]): string | null {
  let best: string | null = null
  // Of a short word, some letters must be right.
  let bestDistance = Math.min(Math.max(2, Math.floor(word.length / 3)), word.length - 1) + 1
  for (const candidate of known) {
    const distance = editDistance(word.slice(0, 64).toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein distance, row by row. */
function editDistance (a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

/** Option names of other rate limiters and common words, which spelling alone does not lead to the option here. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['limit', 'max'],
  ['points', 'max'],
  ['requests', 'max'],
  ['rate', 'max'],
  ['quota', 'max'],
  ['window', 'timeWindow'],
  ['windowMs', 'timeWindow'],
  ['duration', 'timeWindow'],
  ['interval', 'timeWindow'],
  ['ttl', 'timeWindow'],
  ['allowList', 'exempt'],
  ['whitelist', 'exempt'],
  ['whiteList', 'exempt'],
  ['skip', 'exempt'],
  ['ban', 'penalty'],
  ['blockDuration', 'penalty'],
  ['continueExceeding', 'penalty'],
  ['exponentialBackoff', 'penalty'],
  ['onBanReach', 'onBlocked'],
  ['skipSuccessfulRequests', 'refundOn'],
  ['skipFailedRequests', 'refundOn'],
  ['message', 'errorResponseBuilder'],
  ['handler', 'errorResponseBuilder'],
  ['delayMs', 'throttle'],
  ['delayAfter', 'throttle'],
  ['dryRun', 'mode'],
  ['path', 'match'],
  ['url', 'match'],
  ['pattern', 'match'],
  ['timeout', 'deadline'],
  ['trustProxy', 'trustedProxies'],
  ['config', 'configFile'],
  ['skipOnError', 'failureMode'],
  ['passOnStoreError', 'failureMode'],
  ['cache', 'memory'],
  ['nameSpace', 'keyPrefix'],
  ['storeClient', 'redis'],
  ['addHeaders', 'headers'],
  ['enableDraftSpec', 'headers'],
  ['standardHeaders', 'headers']
])

/** The known option that has this name in other rate limiters, or `null`. */
export function suggestSynonym (word: string, known: readonly string[]): string | null {
  const option = SYNONYMS.get(word)
  return option !== undefined && known.includes(option) ? option : null
}
