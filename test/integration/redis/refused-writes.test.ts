// Redis lets a script read a key but not write it, as with a user without the command.
import t from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import type { Charge, Limit } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf, penaltyWith, SECOND_US } from '../../fixtures/limits.js'
import { openBench } from './open-store.js'

const bench = await openBench(t, 'own')
const { redis } = bench
const codes: string[] = []
const store = bench.store({ keyPrefix: 'refused-writes:', onFailure: (code) => { codes.push(code) } })
const limit = limitOf({ max: 2, windowUs: 600 * SECOND_US })
const slots: Limit = { ...limitOf({ bucket: 'app/slots' }), ...createQuota('concurrency', 8, 600 * SECOND_US) }

const chargeOf = (partition: string, cost = 1, one = limit): Charge[] => [{ limit: one, partition, cost }]
const ERROR = { unavailable: 'error' }

t.beforeEach(async () => { await redis.flushdb() })

/** Run a function while the scripts cannot write. Returns how many failures were reported. */
async function whileReadOnly (run: () => Promise<void>): Promise<number> {
  await redis.acl('SETUSER', 'default', '-set')
  try {
    await run()
  } finally {
    await redis.acl('SETUSER', 'default', '+set')
  }
  return codes.splice(0).length
}

t.test('a check whose bucket cannot be written is not decided, and others of its call are', async (t) => {
  t.match(await store.take(chargeOf('user:1', 2)), { granted: true })
  const failures = await whileReadOnly(async () => {
    const answers = await Promise.all([store.take(chargeOf('user:1')), store.take(chargeOf('user:2')), store.take(chargeOf('user:3', 0))])
    t.match(answers, [{ granted: false }, ERROR, { granted: true, standings: [{ remaining: 2 }] }], 'a refusal writes nothing')
  })
  t.equal(failures, 1)
  t.match(await store.take(chargeOf('user:2')), { granted: true, standings: [{ remaining: 1 }] })
})

t.test('a check whose penalty cannot be written is not decided', async (t) => {
  const strict = limitOf({ max: 1, windowUs: 600 * SECOND_US, penalty: penaltyWith() })
  await store.take(chargeOf('user:1', 1, strict))
  t.equal(await whileReadOnly(async () => { t.match(await store.take(chargeOf('user:1', 1, strict)), ERROR) }), 1)
})

t.test('a check whose slots cannot be written is not decided', async (t) => {
  t.equal(await whileReadOnly(async () => { t.match(await store.take(chargeOf('user:1', 1, slots)), ERROR) }), 1)
})

t.test('an adjustment that cannot be written is reported', async (t) => {
  const receipt = await store.take(chargeOf('user:1'))
  if ('unavailable' in receipt) throw new Error(receipt.unavailable)
  const { atUs, standings: [standing] } = receipt
  t.equal(await whileReadOnly(async () => { await store.adjust([{ standing, atUs, units: 1 }]) }), 1)
  t.match(await store.peek([limit], 'user:1'), [{ remaining: 1 }])
})

for (const algorithm of [...ALGORITHMS, 'calendar-window'] as const) {
  t.test(`${algorithm}: what charges nothing writes nothing`, async (t) => {
    const one = limitOf({ algorithm, max: 2, windowUs: 86_400 * SECOND_US })
    const none = limitOf({ max: 0, bucket: 'app/none' })
    await store.take(chargeOf('user:1', 2, one))
    const failures = await whileReadOnly(async () => {
      t.match(await store.take(chargeOf('user:1', 1, one)), { granted: false }, 'a refusal')
      t.match(await store.take(chargeOf('user:1', 3, one)), { granted: false }, 'a cost that is never granted')
      t.match(await store.take(chargeOf('user:1', 0, one)), { granted: true, standings: [{ remaining: 0 }] }, 'a look')
      t.match(await store.take(chargeOf('user:2', 0, one)), { granted: true, standings: [{ remaining: 2 }] }, 'a look at nothing')
      t.match(await store.take([...chargeOf('user:2', 1, one), ...chargeOf('user:2', 1, none)]), { granted: false }, 'a refusal of another limit')
      t.match(await store.take([...chargeOf('user:1', 0, one), ...chargeOf('user:1', 0, one)]), { granted: true }, 'two looks in one check')
    })
    t.equal(failures, 0)
  })
}

t.test('a check that a penalty blocks writes nothing', async (t) => {
  const strict = limitOf({ max: 1, windowUs: 600 * SECOND_US, penalty: penaltyWith({ strikes: 1, cooldownUs: 60 * SECOND_US, maxCooldownUs: 600 * SECOND_US }) })
  for (let i = 0; i < 2; i++) await store.take(chargeOf('user:1', 1, strict))
  t.equal(await whileReadOnly(async () => { t.match(await store.take(chargeOf('user:1', 1, strict)), { granted: false, blocks: [{ began: false }] }) }), 0)
})
