import type { Answer, Charge, FailureReason, Limit, Standing } from '../stores/store.js'

/*
 * What is wrong with the answers of a store that is not ours, in words: its author may not use TypeScript, and no request
 * may fail for it.
 */

const REASONS: Readonly<Record<FailureReason, true>> = { deadline: true, breaker: true, overload: true, connection: true, error: true }

/** What is wrong with an answer to `take`; `null` where nothing is. */
export function validateAnswer (answer: Answer, charges: readonly Charge[]): string | null {
  if (!isObject(answer)) return 'expected a receipt'
  if ('unavailable' in answer) return Object.hasOwn(REASONS, answer.unavailable) ? null : 'unavailable: expected a reason'
  const { granted, atUs, standings, blocks } = answer
  if (typeof granted !== 'boolean') return 'granted: expected true or false'
  if (!isWhole(atUs)) return 'atUs: expected whole microseconds'
  if (!Array.isArray(standings) || standings.length !== charges.length) return `standings: expected ${charges.length}, one for each charge`
  for (let i = 0; i < charges.length; i++) {
    const fault = validateStanding(standings[i], charges[i].limit, charges[i].partition)
    if (fault !== null) return `standings[${i}]${fault}`
  }
  if (!Array.isArray(blocks)) return 'blocks: expected an array'
  const invalidIndex = blocks.findIndex((block) => !isObject(block) || typeof block.partition !== 'string' || !isWhole(block.blockedUs) || typeof block.began !== 'boolean')
  return invalidIndex === -1 ? null : `blocks[${invalidIndex}]: expected { partition, blockedUs, began }`
}

/** What is wrong with an answer to `peek`; `null` where nothing is. */
export function validateStandings (standings: readonly Standing[], limits: readonly Limit[], partition: string): string | null {
  if (!Array.isArray(standings) || standings.length !== limits.length) return `expected ${limits.length} standings, one for each limit`
  for (let i = 0; i < limits.length; i++) {
    const fault = validateStanding(standings[i], limits[i], partition)
    if (fault !== null) return `[${i}]${fault}`
  }
  return null
}

/** What is wrong with an answer to `reset`; `null` where nothing is. */
export function validateCount (count: number): string | null {
  return isWhole(count) ? null : 'expected how many there were'
}

function validateStanding (standing: Standing, limit: Limit, partition: string): string | null {
  if (!isObject(standing)) return ': expected a standing'
  if (standing.limit !== limit) return ".limit: expected the charge's own limit, the same object"
  if (standing.partition !== partition) return ".partition: expected the charge's own"
  if (typeof standing.granted !== 'boolean') return '.granted: expected true or false'
  if (!isWhole(standing.charged)) return '.charged: expected whole units'
  if (!isWhole(standing.remaining)) return '.remaining: expected whole units'
  if (!isWhole(standing.resetUs)) return '.resetUs: expected whole microseconds'
  if (!isWhole(standing.delayUs)) return '.delayUs: expected whole microseconds'
  if (!isWhole(standing.blockedUs)) return '.blockedUs: expected whole microseconds'
  if (standing.retryUs !== 'never' && !isWhole(standing.retryUs)) return '.retryUs: expected whole microseconds or "never"'
  return standing.atUs === undefined || isWhole(standing.atUs) ? null : '.atUs: expected whole microseconds'
}

/** The types say so already, which is no help with code that was not checked by them. */
function isObject (value: object): boolean {
  return typeof value === 'object' && value !== null
}

function isWhole (value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
