// What stores reply: Redis in bytes, a custom store with any value.
import fc from 'fast-check'
import { validateAnswer, validateStandings } from '../../lib/resilience/check-answer.js'
import { Batch } from '../../lib/stores/redis/batch.js'
import { parseReplyCode, toFailureCode } from '../../lib/stores/redis/failure-code.js'
import { ANSWER_BYTES, NUMBER_BYTES, TIME_BYTES, writeNumber, type LeaseCharge, type LeaseStanding } from '../../lib/stores/redis/wire-format.js'
import type { Answer } from '../../lib/stores/store.js'
import { createHeldSlots } from '../fixtures/held-slots.js'
import { limitOf, penaltyWith, SECOND_US } from '../fixtures/limits.js'
import { hostileBytes, hostileTexts } from './hostile.js'
import { hold, type Target } from './target.js'

const plain = limitOf({ max: 50 })
const delayed = limitOf({ bucket: 'app/delayed', maxDelayUs: SECOND_US })
const sliding = limitOf({ bucket: 'app/sliding', algorithm: 'sliding-window', penalty: penaltyWith() })
const monthly = limitOf({ bucket: 'app/monthly', algorithm: 'calendar-window' })
const NOTHING = { slotEndUs: 0, spent: 0, returned: 0 }
const lease: LeaseCharge['lease'] = { gridUs: 500_000, want: 8, soon: 2, reports: [NOTHING, NOTHING] }

/** Each check has one charge. */
const CHARGES: readonly LeaseCharge[] = [
  { limit: plain, partition: 'a', cost: 1 }, { limit: delayed, partition: 'a', cost: 1 }, { limit: sliding, partition: 'a', cost: 1 },
  { limit: monthly, partition: 'a', cost: 1 }, { limit: plain, partition: 'b', cost: 1, lease }
]

/** Of each charge its flags, and the numbers that follow. */
const GOOD: ReadonlyArray<readonly (readonly number[])[]> = [
  [[3, 9, 100, 0], [11, 0, 100, 0, 500], [16, 0, 100, 700, 700], [3, 4, 100, 0, 6, 9_000_000], [67, 7, 100, 0, 5, 600_000, 9_000_000, 5]],
  [[1, 9, 0, 0], [0, 0, 100, Number.MAX_SAFE_INTEGER], [48, 0, 100, 700, 700], [4, 0, 0, 0], [3, 7, 100, 0]]
]

function packReply (charges: readonly (readonly number[])[]): string {
  const reply = Buffer.alloc(TIME_BYTES + charges.length * (ANSWER_BYTES + 6 * NUMBER_BYTES))
  let at = writeNumber(reply, 1_790_000_000_000_001, 0)
  for (const [flags, ...numbers] of charges) {
    at = reply.writeUInt8(flags, at)
    for (const number of numbers) at = writeNumber(reply, number, at)
  }
  return reply.toString('latin1', 0, at)
}

/** Replies of the right lengths, with any flags and numbers. */
const numbers = fc.constantFrom(0, 1, 5, 8, 9, 10, 50, 51, 100, 1_000_000, 10_000_001, 2 ** 32, Number.MAX_SAFE_INTEGER, 2 ** 53, 2 ** 56 - 1)
const shaped = fc.tuple(...CHARGES.map(({ limit }) => fc.nat(127).chain((flags) => {
  const bits = [8, 16, 64, 64, 64, 64].filter((bit) => (flags & bit) !== 0).length
  const length = 3 + bits + (limit.calendar !== null && (flags & 4) === 0 ? 2 : 0)
  return fc.array(numbers, { minLength: length, maxLength: length }).map((all) => [flags, ...all])
}))).map(packReply)

/** All answers of a batch; `null` if it does not accept the reply. */
async function completeBatch (reply: Buffer): Promise<readonly Answer[] | null> {
  const batch = new Batch(createHeldSlots())
  const answers = CHARGES.map((charge) => batch.add([charge], true))
  if (!batch.accepts(reply)) return null
  batch.complete(reply)
  return await Promise.all(answers)
}

function holdStanding (standing: LeaseStanding, { limit, partition, cost, lease }: LeaseCharge): void {
  const { remaining, charged, resetUs, delayUs, retryUs, blockedUs, usage } = standing
  hold(validateStandings([standing], [limit], partition) === null, `${validateStandings([standing], [limit], partition)}`)
  hold(remaining <= limit.capacity && charged <= cost, `${remaining} remaining, ${charged} charged`)
  hold([resetUs, delayUs, blockedUs, retryUs === 'never' ? 0 : retryUs].every(Number.isSafeInteger), 'times out of range')
  hold(delayUs <= limit.maxDelayUs, `a delay of ${delayUs} µs`)
  hold(limit.penalty !== null || blockedUs === 0, 'a block without a penalty')
  hold((usage === undefined) === (limit.calendar === null), 'usage of no calendar, or a calendar without usage')
  const granted = standing.lease
  if (granted === undefined) return
  hold(lease !== undefined && granted.units <= lease.want, `${granted.units} leased units, and ${lease?.want ?? 'none'} asked for`)
}

const reply: Target = {
  name: 'redis-reply',
  inputs: fc.oneof(shaped, hostileBytes(GOOD.map(packReply), ['\0', '\x7f', '\x43', '\x0b', '\xff'.repeat(7), '\0'.repeat(7), '\x1f' + '\xff'.repeat(6), '\0\0\0\0\0\0\x05'])),
  async check (input) {
    const answers = await completeBatch(Buffer.from(input, 'latin1')) ?? []
    for (const [index, answer] of answers.entries()) {
      if (!('unavailable' in answer)) holdStanding(answer.standings[0], CHARGES[index])
    }
  }
}

const error: Target = {
  name: 'redis-error',
  inputs: hostileTexts(['OOM command not allowed', 'ERR max number of clients reached', 'READONLY no', 'WRONGPASS invalid', 'Last error: ReplyError: NOAUTH x', 'Command timed out'], ['ReplyError: ', 'ERR ']),
  check (input) {
    for (const code of [parseReplyCode(input), ...['ReplyError', 'Error'].map((name) => toFailureCode(Object.assign(new Error(input), { name })))]) {
      hold(/^[A-Z_]{1,40}$/.test(code), `the code ${code}`)
    }
  }
}

const STANDING = { partition: 'a', granted: true, charged: 1, remaining: 9, resetUs: 100, delayUs: 0, retryUs: 0, blockedUs: 0 }
const ANSWERS: readonly unknown[] = [
  { granted: true, atUs: 1, standings: [STANDING], blocks: [] }, { granted: false, atUs: 1, standings: [{ ...STANDING, retryUs: 'never' }], blocks: [{ partition: 'a', blockedUs: 1, began: true }] },
  { unavailable: 'deadline' }
]

/** An answer of an author without types: any JSON, with the limit where it has a place for one. */
function reviveAnswer (input: string): unknown {
  try {
    return JSON.parse(input, (key, value: unknown) => key === '' || typeof value !== 'object' || value === null || !('granted' in value) ? value : { ...value, limit: plain })
  } catch {
    return input
  }
}

const answer: Target = {
  name: 'store-answer',
  inputs: hostileTexts(ANSWERS.map((value) => JSON.stringify(value)), ['"unavailable":"toString"', '[]', '{}', '[null]', '"standings":null', '"usage":{}', '-0', '1.5', '"never"']),
  check (input) {
    const value = reviveAnswer(input) as Answer
    const fault = validateAnswer(value, [CHARGES[0]])
    hold(fault === null || /^[\w[\].]*:? ?.+$/.test(fault), `${fault}`)
    if (fault !== null || 'unavailable' in value) return
    const [standing] = value.standings
    hold(standing.limit === plain && standing.partition === 'a' && value.standings.length === 1, 'a standing of something else')
    hold([value.atUs, standing.remaining, standing.resetUs].every((number) => Number.isSafeInteger(number) && number >= 0), 'a number out of range')
  }
}

export const replyTargets: readonly Target[] = [reply, error, answer]
