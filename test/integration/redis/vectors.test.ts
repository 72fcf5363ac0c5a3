// Every row of the tables of cases, decided by the Lua twins on states that are kept in Redis before and after.
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { QuotaAlgorithm } from '../../../lib/algorithms/quota.js'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { composeScript, loadScript } from '../../../lib/stores/redis/scripts.js'
import { packLimit, type LeaseCharge, type LeaseStanding } from '../../../lib/stores/redis/wire-format.js'
import { isUnavailable } from '../../../lib/stores/store.js'
import { algorithms, type State } from '../../fixtures/bucket.js'
import { limitOf } from '../../fixtures/limits.js'
import { loadLeaseVectors, loadPenaltyVectors, loadVectors, toQuota, type Expectation, type LeaseVector, type PenaltyVector, type Vector } from '../../fixtures/vectors.js'
import { openBench } from './open-store.js'

const [lists, vector, penaltyVector, leaseVector] = ['log-lists.lua', 'vector.lua', 'penalty-vector.lua', 'lease-vector.lua'].map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'))
const [script, penaltyScript, leaseScript] = [lists + vector, penaltyVector, leaseVector].map((text) => composeScript(text))
const bench = await openBench(t)
const { redis } = bench

async function answerTo (algorithm: QuotaAlgorithm, row: Vector): Promise<Expectation> {
  const limit = { ...limitOf(), ...toQuota(algorithm, row) }
  const numbers = (await redis.eval(script.lua, 1, 'vectors:row', packLimit(limit, row.nowUs), JSON.stringify({ ...row, state: listOf(row.state) }), String(row.nowUs)) as string[]).map(Number)
  const [granted, isLast, remaining, resetUs, delayUs, retryUs, ...state] = numbers
  if (row.isLast !== undefined && row.isLast !== (isLast === 1)) throw new Error(`${row.title}: whose charge was the last`)
  const standing = { remaining, resetUs, state: algorithm === 'sliding-window' ? state : { timeUs: state[0], count: state[1] } }
  return row.cost === undefined ? standing : { granted: granted === 1, delayUs, retryUs: retryUs === -1 ? 'never' : retryUs, ...standing }
}

function listOf (state: State | null): number[] | undefined {
  if (state === null) return undefined
  return Array.isArray(state) ? state : [state.timeUs, state.count]
}

/** What a store must know of a state: a log's entries that left the window are nothing, nor is the first of no grants. */
function known (state: State, { limit, nowUs }: Vector): State {
  if (!Array.isArray(state)) return state
  const living: number[] = []
  let total = 0
  for (let entry = 2; entry < state.length; entry += 2) {
    if (nowUs - state[entry] >= limit.windowUs) continue
    living.push(state[entry], state[entry + 1])
    total += state[entry + 1]
  }
  return total === 0 ? [0, 0] : [state[0], total, ...living]
}

for (const algorithm of [...algorithms, 'calendar-window'] as const) {
  t.test(`${algorithm} in Lua answers the rows as it does in TypeScript`, async (t) => {
    const rows = loadVectors(algorithm)
    t.ok(rows.length > 20)
    for (const row of rows) {
      const expected = { ...row.cost === undefined ? {} : { delayUs: 0 }, ...row.expect, state: known(row.expect.state, row) }
      t.strictSame(await answerTo(algorithm, row), expected, row.title)
    }
  })
}

async function penaltyAnswerTo ({ rule, conduct, nowUs, strikes }: PenaltyVector): Promise<PenaltyVector['expect']> {
  const limit = limitOf({ penalty: { ...rule, bucket: '' } })
  const row = JSON.stringify({ strikes, conduct: conduct ?? undefined })
  const numbers = (await redis.eval(penaltyScript.lua, 1, 'vectors:penalty', packLimit(limit), row, String(nowUs)) as string[]).map(Number)
  const [began, isToBeStored, blockedUs, lifeUs, startUs, struck, level, quietFromUs, blockUs] = numbers
  return { began: began === 1, blockedUs, lifeUs, isToBeStored: isToBeStored === 1, conduct: { startUs, strikes: struck, level, quietFromUs, blockUs } }
}

t.test('penalties in Lua answer the rows as they do in TypeScript', async (t) => {
  const rows = loadPenaltyVectors()
  t.ok(rows.length > 20)
  for (const row of rows) t.strictSame(await penaltyAnswerTo(row), row.expect, row.title)
})

const LEASED_PREFIX = 'vectors:leases:'
const PARTITION = 'ip:203.0.113.9'
let leaseTimeUs = 0
const leaseStore = bench.store({ keyPrefix: LEASED_PREFIX, timeUs: () => leaseTimeUs })

/** The scripts themselves decide: they have more to do than their functions. */
async function leaseAnswerTo ({ limit: numbers, state, nowUs, cost, lease }: LeaseVector, others: readonly LeaseCharge[]): Promise<LeaseVector['expect']> {
  const limit = limitOf(numbers)
  const key = new KeyWriter(LEASED_PREFIX).formatBucketKey(limit, PARTITION)
  const access = async (written: string) => {
    const [timeUs, count, slotEndUs, gridUs, apart, apartNext] = (await redis.eval(leaseScript.lua, 1, key, packLimit(limit), written, String(nowUs)) as string[]).map(Number)
    return timeUs === undefined ? null : { timeUs, count, slotEndUs, gridUs, apart, apartNext }
  }
  await redis.del(key, ...others.map(({ limit }) => new KeyWriter(LEASED_PREFIX).formatBucketKey(limit, PARTITION)))
  if (state !== null) await access(JSON.stringify(state))
  if (cost === undefined) {
    await redis.eval(loadScript('reset').lua, 1, key, '', '', String(nowUs))
    return { state: await access('') }
  }
  leaseTimeUs = nowUs
  const charge: LeaseCharge = { limit, partition: PARTITION, cost, ...lease === undefined ? {} : { lease } }
  const answer = await leaseStore.take([charge, ...others])
  if (isUnavailable(answer)) throw new Error(answer.unavailable)
  const [{ granted, remaining, resetUs, retryUs, lease: grant }] = answer.standings as LeaseStanding[]
  return { granted, remaining, resetUs, retryUs, ...grant === undefined ? {} : { lease: grant }, state: await access('') }
}

// The fast path of the script takes checks of one limit.
const another: LeaseCharge = { limit: limitOf({ max: 1000, bucket: 'app/another' }), partition: PARTITION, cost: 1 }

for (const [path, others] of [['the fast path', []], ['a check of two limits', [another]]] as const) {
  t.test(`leases in Lua answer the rows as they do in TypeScript: ${path}`, async (t) => {
    const rows = loadLeaseVectors()
    t.ok(rows.length > 50)
    for (const row of rows) t.strictSame(await leaseAnswerTo(row, others), row.expect, row.title)
  })
}
