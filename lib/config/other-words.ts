/** Words of other rate limiters, or of the way people speak, that no spelling leads from to the option. */
const OTHER_WORDS: ReadonlyMap<string, string> = new Map([
  ['limit', 'max'],
  ['points', 'max'],
  ['requests', 'max'],
  ['window', 'timeWindow'],
  ['windowMs', 'timeWindow'],
  ['duration', 'timeWindow'],
  ['interval', 'timeWindow'],
  ['period', 'timeWindow'],
  ['ttl', 'timeWindow'],
  ['allowList', 'exempt'],
  ['skip', 'exempt'],
  ['ban', 'penalty'],
  ['blockDuration', 'penalty'],
  ['continueExceeding', 'penalty'],
  ['exponentialBackoff', 'penalty'],
  ['onBanReach', 'onBlocked'],
  ['skipOnError', 'failureMode'],
  ['passOnStoreError', 'failureMode'],
  ['cache', 'memory'],
  ['nameSpace', 'keyPrefix'],
  ['storeClient', 'redis'],
  ['addHeaders', 'headers'],
  ['enableDraftSpec', 'headers'],
  ['standardHeaders', 'headers']
])

/** The known word that another word stands for elsewhere, or `null`. */
export function meantBy (word: string, known: readonly string[]): string | null {
  const meant = OTHER_WORDS.get(word)
  return meant !== undefined && known.includes(meant) ? meant : null
}
