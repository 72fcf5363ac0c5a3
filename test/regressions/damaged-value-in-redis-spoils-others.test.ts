// A damaged value in Redis, of a sliding window above all, failed the whole call with the checks of other clients in it, and
// kept no TTL.
import { once } from 'node:events'
import t from 'tap'
import { Redis } from 'ioredis'
import type { LeaseReport } from '../../lib/algorithms/lease.js'
import { systemClock } from '../../lib/common/clock.js'
import { CallGuard } from '../../lib/resilience/call-guard.js'
import { connect } from '../../lib/stores/redis/connect.js'
import { InFlightCounts } from '../../lib/stores/memory/in-flight-counts.js'
import { RedisStore } from '../../lib/stores/redis/redis-store.js'
import { isUnavailable, type Charge, type Limit, type Receipt } from '../../lib/stores/store.js'
import { scaleToLane } from '../fixtures/lane.js'
import { ALGORITHMS, limitOf, penaltyWith, SECOND_US } from '../fixtures/limits.js'
import { shareRedis } from '../fixtures/redis-server.js'
import { Seeded } from '../fixtures/seeded.js'

const PREFIX = 'damage:'
const NEVER_OPENS = { failures: 1_000_000, withinMs: 10_000, openForMs: 1000 }
const NOW_US = 1_790_000_000_000_000

const redis = new Redis((await shareRedis()).url)
await once(redis, 'ready')
const time = { us: NOW_US }
const codes: string[] = []
const store = new RedisStore({
  inFlight: new InFlightCounts(),
  pool: connect(redis, { connections: 1, deadlineMs: 0, clock: systemClock }, { onReady () {} }),
  callGuard: new CallGuard(5000, NEVER_OPENS, systemClock, () => {}),
  keyPrefix: PREFIX,
  maxPending: 100_000,
  onFailure: (_reason, code) => { codes.push(code) },
  clock: systemClock,
  onAnswer: () => {},
  timeUs: () => time.us
})
t.teardown(async () => {
  await store.close()
  redis.disconnect()
})

function chargesOf (limits: readonly Limit[], partition = 'user:victim', cost = 1): Charge[] {
  return limits.map((limit) => ({ limit, partition, cost }))
}

async function takeOrFail (limits: readonly Limit[], cost = 1): Promise<Receipt> {
  const answer = await store.take(chargesOf(limits, 'user:victim', cost))
  if (isUnavailable(answer)) throw new Error(answer.unavailable)
  return answer
}

const penalty = penaltyWith({ strikes: 3, withinUs: 600 * SECOND_US, cooldownUs: 60 * SECOND_US, factor: 2, maxCooldownUs: 3600 * SECOND_US })
const bystander = limitOf({ bucket: 'app/bystander', max: 1_000_000_000, algorithm: 'fixed-window', windowUs: 86_400 * SECOND_US })

interface Kind {
  readonly name: string
  /** Limits of one bucket or penalty. */
  readonly limits: readonly Limit[]
  /** Bring the state about. */
  readonly fill: (limits: readonly Limit[]) => Promise<void>
  readonly key: RegExp
  /** Whether a reset may keep the key. */
  readonly isKept?: boolean
}

const NO_REPORT: LeaseReport = { slotEndUs: 0, spent: 0, returned: 0 }

/** Grants far enough apart to be entries of their own. */
async function grantOften ([limit]: readonly Limit[]): Promise<void> {
  for (let i = 0; i < 6; i++) {
    await takeOrFail([limit], 1 + i % 3)
    time.us += limit.mergeUs + 1234
  }
}

const KINDS: readonly Kind[] = [
  ...ALGORITHMS.map((algorithm) => {
    const limit = limitOf({ algorithm, max: 20, windowUs: 60 * SECOND_US })
    return { name: algorithm, limits: [limit, { ...limit, mode: 'shadow' as const }], fill: grantOften, key: /\}:/ }
  }),
  ...ALGORITHMS.flatMap((algorithm, i) => {
    const young = limitOf({ algorithm, max: 20, windowUs: 60 * SECOND_US })
    const old = limitOf({ algorithm: ALGORITHMS[(i + 1) % 3], max: 30, windowUs: 90 * SECOND_US })
    const fill = async () => {
      await grantOften([old])
      await grantOften([young])
    }
    return [
      { name: `${algorithm} with another version's bucket`, limits: [young, old], fill, key: /\}:/ },
      { name: `${algorithm} that another version reads`, limits: [old, young], fill, key: /\}:/ }
    ]
  }),
  {
    name: 'token-bucket with leases',
    limits: [limitOf({ max: 200, windowUs: 60 * SECOND_US }), limitOf({ max: 200, windowUs: 60 * SECOND_US, mode: 'shadow' })],
    fill: async ([limit]) => {
      const lease = { gridUs: SECOND_US, want: 8, soon: 8, reports: [NO_REPORT, NO_REPORT] } as const
      for (let i = 0; i < 5; i++) {
        await store.take([{ limit, partition: 'user:victim', cost: 1, lease }])
        time.us += SECOND_US
      }
    },
    key: /\}:/,
    // Leases that could still be alive are closed, and the value is kept for that long.
    isKept: true
  },
  {
    name: 'penalty',
    limits: [limitOf({ max: 1, penalty }), limitOf({ max: 1, penalty, bucket: 'app/second' })],
    fill: async ([limit]) => {
      for (let i = 0; i < 9; i++) await takeOrFail([limit])
      time.us += 70 * SECOND_US
      for (let i = 0; i < 2; i++) await takeOrFail([limit])
    },
    key: /\}!/
  }
]

/** The value of the kind's key, after some use of the limits. */
async function valueOf ({ limits, fill, key }: Kind): Promise<{ key: string, value: Buffer }> {
  await redis.flushdb()
  time.us = NOW_US
  await fill(limits)
  const found = (await redis.keys(`${PREFIX}*`)).find((each) => key.test(each))
  const value = found === undefined ? null : await redis.getBuffer(found)
  if (found === undefined || value === null) throw new Error('no key')
  return { key: found, value }
}

/** Every part of a value that begins as it does, and changes at random of one to four bytes, of which some are cut too. */
function * damages (value: Buffer, random: Seeded, count: number): Generator<Buffer> {
  for (let length = 0; length < value.length; length++) yield value.subarray(0, length)
  for (let i = 0; i < count; i++) {
    const changed = Buffer.from(value)
    for (let flips = 1 + random.nextInt(4); flips > 0; flips--) {
      const at = random.nextInt(changed.length)
      changed[at] = random.nextInt(3) === 0 ? random.nextInt(256) : changed[at] ^ 1 << random.nextInt(8)
    }
    yield i % 4 === 3 ? changed.subarray(0, random.nextInt(changed.length)) : changed
  }
}

for (const kind of KINDS) {
  t.test(`${kind.name}: whatever its value became, other checks of the call are right, it is answered, and has a TTL`, async (t) => {
    const random = new Seeded(1)
    const { key, value } = await valueOf(kind)
    const [first, second] = kind.limits
    let used = 0
    let replaced = 0
    for (const damaged of damages(value, random, scaleToLane(1600, 400))) {
      const hex = damaged.toString('hex')
      await redis.set(key, damaged)
      const cost = random.pick([0, 1, 1, 5, 50])
      const answers = await Promise.all([
        store.take(chargesOf([first], 'user:victim', cost)),
        store.take(chargesOf([bystander], 'user:other')),
        store.take(chargesOf([second, first], 'user:victim', cost))
      ])
      used++
      if (answers.some(isUnavailable)) t.fail(`no answer to ${hex}`)
      t.strictSame(answers[1], { ...answers[1], granted: true, standings: [{ ...(answers[1] as Receipt).standings[0], remaining: bystander.max - used }] })
      if (await redis.pttl(key) === -1) t.fail(`no TTL after take of ${hex}`)
      // Corrections of both travel together too.
      await redis.set(key, damaged)
      await store.adjust([answers[0], answers[1]].flatMap((answer) => isUnavailable(answer)
        ? []
        : answer.standings.map((standing) => ({ standing, atUs: answer.atUs, units: -standing.charged }))))
      used--
      if (random.nextInt(20) === 0) {
        await redis.set(key, damaged)
        const count = await store.reset([first], 'user:victim')
        if (!(count >= 0 && count <= 2) || (kind.isKept !== true && await redis.exists(key) === 1)) t.fail(`reset of ${hex}`)
      }
      const failures = codes.splice(0)
      if (failures.length > 0) replaced++
      if (failures.some((code) => code !== 'DAMAGED')) t.fail(`${failures.join(' ')} after ${hex}`)
      time.us += 1000
    }
    t.match(await store.peek([bystander], 'user:other'), [{ remaining: bystander.max }], 'and the refunds of others were made')
    t.ok(replaced > value.length / 4, `${replaced} values were reported as damaged`)
  })
}
