import { isObject } from '../common/type-guards.js'
import type { Answer, Block, Charge, FailureReason, Limit, Standing } from '../stores/store.js'

/*
 * Validates the results of a custom store and describes what is wrong. Its author may not use TypeScript, and no request
 * may fail because of an invalid result.
 */

const REASONS: Readonly<Record<FailureReason, true>> = { deadline: true, breaker: true, overload: true, connection: true, error: true }

/** Returns what is wrong with a result of `take`, or `null`. */
export function validateAnswer (answer: Answer, charges: readonly Charge[]): string | null {
  if (!isObject(answer)) return 'expected a receipt'
  if ('unavailable' in answer) {
    return Object.hasOwn(REASONS, answer.unavailable) ? null : `unavailable: expected one of ${Object.keys(REASONS).join(', ')}`
  }
  const { granted, atUs, standings, blocks } = answer
  if (typeof granted !== 'boolean') return 'granted: expected true or false'
  if (!isWhole(atUs)) return 'atUs: expected whole microseconds'
  if (!Array.isArray(standings) || standings.length !== charges.length) {
    return `standings: expected ${charges.length}, one for each charge`
  }
  for (let i = 0; i < charges.length; i++) {
    const fault = validateStanding(standings[i], charges[i].limit, charges[i].partition)
    if (fault !== null) return `standings[${i}]${fault}`
  }
  if (!Array.isArray(blocks)) return 'blocks: expected an array'
  const invalidIndex = blocks.findIndex((block) => !isBlock(block))
  return invalidIndex === -1 ? null : `blocks[${invalidIndex}]: expected { partition, blockedUs, began }`
}

/** Returns what is wrong with a result of `peek`, or `null`. */
export function validateStandings (standings: readonly Standing[], limits: readonly Limit[], partition: string): string | null {
  if (!Array.isArray(standings) || standings.length !== limits.length) return `expected ${limits.length} standings, one for each limit`
  for (let i = 0; i < limits.length; i++) {
    const fault = validateStanding(standings[i], limits[i], partition)
    if (fault !== null) return `[${i}]${fault}`
  }
  return null
}

/** Returns what is wrong with a result of `reset`, or `null`. */
export function validateCount (count: number): string | null {
  return isWhole(count) ? null : 'expected a whole number, 0 or more'
}

function validateStanding (standing: Standing, limit: Limit, partition: string): string | null {
  if (!isObject(standing)) return ': expected a standing'
  if (standing.limit !== limit) return ".limit: expected the charge's own limit, the same object"
  if (standing.partition !== partition) return ".partition: expected the charge's own partition"
  if (typeof standing.granted !== 'boolean') return '.granted: expected true or false'
  if (!isWhole(standing.charged)) return '.charged: expected whole units'
  if (!isWhole(standing.remaining)) return '.remaining: expected whole units'
  if (!isWhole(standing.resetUs)) return '.resetUs: expected whole microseconds'
  if (!isWhole(standing.delayUs)) return '.delayUs: expected whole microseconds'
  if (!isWhole(standing.blockedUs)) return '.blockedUs: expected whole microseconds'
  if (standing.retryUs !== 'never' && !isWhole(standing.retryUs)) return '.retryUs: expected whole microseconds or "never"'
  if (limit.calendar !== null && !isUsage(standing.usage)) return '.usage: expected { units, endUs }, since the limit has a period'
  return standing.atUs === undefined || isWhole(standing.atUs) ? null : '.atUs: expected whole microseconds'
}

function isUsage (usage: Standing['usage']): boolean {
  return isObject(usage) && isWhole(usage.units) && isWhole(usage.endUs)
}

function isBlock (block: Block): boolean {
  return isObject(block) && typeof block.partition === 'string' && isWhole(block.blockedUs) && typeof block.began === 'boolean'
}

function isWhole (value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
