// What a request is charged: which limits, whose buckets, how many units.
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { getTemporal } from '../../lib/calendar/temporal.js'
import { ZoneCalendar } from '../../lib/calendar/zone-calendar.js'
import { NO_FAULTS } from '../../lib/common/log.js'
import { SlotUsage } from '../../lib/concurrency/slot-usage.js'
import type { Client } from '../../lib/model/client.js'
import type { Recorder } from '../../lib/observability/recording/recorder.js'
import type { DynamicLimit, LimitPair } from '../../lib/policies/dynamic-limit.js'
import type { Policy } from '../../lib/policies/policy.js'
import { ChargeBuilder } from '../../lib/request/charges.js'
import type { DeciderContext } from '../../lib/request/limiter-context.js'
import { recordDecision } from '../../lib/request/record-decision.js'
import type { Charge, Limit } from '../../lib/stores/store.js'
import { ADDRESS, createDecisionOf, createPolicy, createReceipt, createSlotLimit, createStanding, IP_CLIENT, USER } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const KEY: Client = { kind: 'key', id: 'abc', tier: 'anonymous', partition: 'key:abc' }
const EVERYONE: Client = { kind: 'global', id: 'global', tier: 'anonymous', partition: 'global' }

const request = () => ({ rateLimit: null }) as unknown as FastifyRequest

function createBuilder (takesSlots = true): ChargeBuilder {
  const identifier = { identifyByAddress: () => IP_CLIENT, deadlineMs: 100 }
  return new ChargeBuilder({ identifier, faults: NO_FAULTS, recorder: null } as unknown as DeciderContext, takesSlots)
}

const byName = (by: Limit['by'], fields: Partial<Limit> = {}): Limit => ({ ...limitOf({ bucket: by, by }), ...fields })

/** Each charge as text: the limit, the partition and the units. */
function describe (charges: readonly Charge[]): string[] {
  return charges.map(({ limit, partition, cost }) => `${limit.name} ${partition} ${cost}`)
}

async function build (policy: Partial<Policy>, client: Client = IP_CLIENT, maxHoldUs = 0): Promise<Charge[]> {
  return await createBuilder().build(createPolicy(policy), request(), client, maxHoldUs)
}

const ALL = [byName('client'), byName('ip'), byName('user'), byName('global')]

const partitions: ReadonlyArray<readonly [client: Client, limits: Limit[], charges: string[], why: string]> = [
  [IP_CLIENT, ALL, ['client 203.0.113.9 1', 'ip 203.0.113.9 1', 'global global 1'], 'an address is no user'],
  [USER, ALL, ['client user:42 1', 'ip 203.0.113.9 1', 'user user:42 1', 'global global 1'], 'a user'],
  [KEY, ALL, ['client key:abc 1', 'ip 203.0.113.9 1', 'global global 1'], 'a key'],
  [IP_CLIENT, [byName('user')], ['user 203.0.113.9 1'], 'the address, where no limit is left'],
  [IP_CLIENT, [byName('user'), byName('ip', { mode: 'shadow' })], ['ip 203.0.113.9 1', 'user 203.0.113.9 1'], 'the address, where no enforced limit is left'],
  [IP_CLIENT, [byName('user'), byName('ip')], ['ip 203.0.113.9 1'], 'an enforced limit is left'],
  [USER, [byName('user'), byName('ip', { mode: 'shadow' })], ['user user:42 1', 'ip 203.0.113.9 1'], 'a limit of the user is enforced'],
  [USER, [byName('ip', { mode: 'shadow' })], ['ip 203.0.113.9 1'], 'nothing is enforced'],
  [USER, [byName('user', { mode: 'shadow' })], ['user user:42 1'], 'nothing is enforced, and all applies']
]
for (const [client, limits, charges, why] of partitions) {
  t.test(`${client.partition} under limits by ${limits.map(({ by }) => by).join(', ')}: ${why}`, async (t) => {
    t.strictSame(describe(await build({ limits }, client)), charges)
  })
}

t.test('the units of each limit, also of those that the address is charged', async (t) => {
  const limits = [byName('user', { mode: 'shadow' }), byName('ip', { mode: 'shadow' }), byName('user', { name: 'second' })]
  t.strictSame(describe(await build({ limits, costs: [2, 3, 4] })), ['ip 203.0.113.9 3', 'user 203.0.113.9 2', 'second 203.0.113.9 4'])
  t.strictSame(describe(await build({ limits, cost: 5 })), ['ip 203.0.113.9 5', 'user 203.0.113.9 5', 'second 203.0.113.9 5'])
})

t.test('a policy of one limit is charged without a look at the others', async (t) => {
  const single = byName('client')
  const charges = await build({ single, limits: [], cost: 3 }, USER)
  t.strictSame(describe(charges), ['client user:42 3'])
  t.equal(charges[0].limit, single)
  t.strictSame(describe(await build({ single, limits: [byName('ip')], costs: [3] })), ['ip 203.0.113.9 3'], 'but for costs of each limit')
})

t.test('a cost that comes later', async (t) => {
  const charges = createBuilder().build(createPolicy({ single: byName('client'), limits: [byName('client')], cost: async () => 3 }), request(), IP_CLIENT, 0)
  t.ok(charges instanceof Promise)
  t.strictSame(describe(await charges), ['client 203.0.113.9 3'])
})

for (const isRecorded of [true, false]) {
  t.test(`the cost of a request is ${isRecorded ? '' : 'not '}kept for its record`, async (t) => {
    const recorded: unknown[] = []
    const recorder = { nowUs: 0, record: ({ cost }: { readonly cost: unknown }) => { recorded.push(cost) } }
    const identifier = { identifyByAddress: () => IP_CLIENT, getAddress: () => ADDRESS, deadlineMs: 100 }
    const context = { identifier, recorder, faults: NO_FAULTS } as unknown as DeciderContext & { readonly recorder: Recorder }
    const builder = new ChargeBuilder(isRecorded ? context : { ...context, recorder: null }, true)
    for (const cost of [() => 5, async () => 7]) {
      const policy = createPolicy({ cost })
      const counted = request()
      await builder.build(policy, counted, IP_CLIENT, 0)
      const reply = { request: Object.assign(counted, { routeOptions: {} }) } as FastifyReply
      recordDecision(context, createDecisionOf(createReceipt(), { policy }), reply)
    }
    t.strictSame(recorded, isRecorded ? [5, 7] : [1, 1])
  })
}

t.test('a request that may be held is charged limits that wait, for no longer than it may', async (t) => {
  const [limit, delayable] = [byName('client'), byName('client', { maxDelayUs: 5000 })]
  const policy = createPolicy({ single: limit, limits: [limit], delayableLimits: [delayable] })
  const hold = async (maxHoldUs: number) => (await createBuilder().build(policy, request(), IP_CLIENT, maxHoldUs))[0].limit
  t.equal(await hold(0), limit)
  t.equal(await hold(5000), delayable)
  t.equal(await hold(Infinity), delayable)
  const shorter = await hold(4999)
  t.strictSame(shorter, { ...delayable, maxDelayUs: 4999 })
  t.equal((await hold(4998)).maxDelayUs, 4998)
  t.equal(await hold(4999), shorter, 'the same object for the same time')
  t.equal((await build({ limits: [limit] }, IP_CLIENT, 5000))[0].limit, limit, 'a policy that holds nothing')
})

function dynamic (pair: LimitPair, isLate: boolean): DynamicLimit {
  return { resolve: () => isLate ? Promise.resolve(pair) : pair } as unknown as DynamicLimit
}

for (const isLate of [false, true]) {
  t.test(`limits of functions have the numbers of the request${isLate ? ', which come later' : ''}`, async (t) => {
    const fixed = byName('client', { maxDelayUs: 0 })
    const pair = { immediate: byName('global', { name: 'computed' }), delayable: byName('global', { name: 'delayable', maxDelayUs: 9000 }) }
    const policy = createPolicy({
      limits: [fixed, byName('global')],
      delayableLimits: [byName('client', { maxDelayUs: 8000 }), byName('global', { maxDelayUs: 8000 })],
      dynamicLimits: [null, dynamic(pair, isLate)],
      costs: [1, 2]
    })
    const hold = (maxHoldUs: number) => createBuilder().build(policy, request(), IP_CLIENT, maxHoldUs)
    t.equal(hold(0) instanceof Promise, isLate)
    t.strictSame(describe(await hold(0)), ['client 203.0.113.9 1', 'computed global 2'])
    t.equal((await hold(0))[1].limit, pair.immediate)
    const held = await hold(7000)
    t.strictSame(held.map(({ limit }) => [limit.name, limit.maxDelayUs]), [['client', 7000], ['delayable', 7000]])
    t.equal((await hold(Infinity))[1].limit, pair.delayable)
  })
}

t.test('all functions are called at once', async (t) => {
  let calls = 0
  const counted = { resolve: () => { calls++; return new Promise(() => {}) } } as unknown as DynamicLimit
  createBuilder().build(createPolicy({ limits: [byName('client'), byName('ip')], dynamicLimits: [counted, counted] }), request(), IP_CLIENT, 0)
  t.equal(calls, 2)
})

t.test('limits with the periods of a client are anchored, where its anchor is known', async (t) => {
  const calendar = new ZoneCalendar({ unit: 'month', timeZone: 'UTC', anchorMs: null }, { isPerClient: true, keepsEnd: true })
  const monthly = { ...limitOf({ algorithm: 'calendar-window', calendar }) }
  const keepsEnd = async (client: Client, fields: Partial<Policy> = {}) => {
    return (await build({ limits: [monthly], hasPeriods: true, ...fields }, client))[0].limit.calendar?.keepsEnd
  }
  t.equal(await keepsEnd(IP_CLIENT), true)
  t.not(getTemporal(), null, 'the library is loaded before the first charge')
  t.equal(await keepsEnd({ ...USER, anchorMs: 0 }), false)
  t.equal(await keepsEnd({ ...USER, anchorMs: 0 }, { hasPeriods: false }), true, 'a policy without periods is not looked at')
  t.equal(await keepsEnd({ ...USER, anchorMs: 0 }, { dynamicLimits: [dynamic({ immediate: monthly, delayable: monthly }, true)] }), false, 'also later')
})

function slots (by: Limit['by'] = 'client') {
  const limit = createSlotLimit({ by })
  return createPolicy({ limits: [byName('client')], concurrency: { limit, scope: 'default', usage: new SlotUsage('default', new ManualClock()), queue: null } })
}

t.test('a request takes a slot last, whether or not it waits for its cost', async (t) => {
  const policy = slots()
  t.strictSame(describe(await createBuilder().build(policy, request(), IP_CLIENT, 0)), ['client 203.0.113.9 1', 'concurrency 203.0.113.9 1'])
  const later = createBuilder().build({ ...policy, cost: async () => 3 }, request(), IP_CLIENT, 0)
  t.strictSame(describe(await later), ['client 203.0.113.9 3', 'concurrency 203.0.113.9 1'])
  const two = { ...policy, limits: [byName('client'), byName('ip')] }
  t.strictSame(describe(await createBuilder().build(two, request(), IP_CLIENT, 0)), ['client 203.0.113.9 1', 'ip 203.0.113.9 1', 'concurrency 203.0.113.9 1'])
  t.strictSame(describe(await createBuilder(false).build(policy, request(), IP_CLIENT, 0)), ['client 203.0.113.9 1'], 'what takes no slots')
})

t.test('a request takes no slot that does not apply to it, or that it holds', async (t) => {
  t.strictSame(describe(await createBuilder().build(slots('user'), request(), IP_CLIENT, 0)), ['client 203.0.113.9 1'])
  const policy = slots()
  const rateLimit = createDecisionOf(createReceipt([createStanding(), createStanding(policy.concurrency?.limit)]), { policy })
  const holding = { rateLimit } as unknown as FastifyRequest
  t.strictSame(describe(await createBuilder().build(policy, holding, IP_CLIENT, 0)), ['client 203.0.113.9 1'])
  t.strictSame(describe(await createBuilder().build(policy, holding, USER, 0)), ['client user:42 1', 'concurrency user:42 1'], 'another one')
})

const withoutRequest: ReadonlyArray<readonly [client: Client, limits: Limit[], charges: string[], why: string]> = [
  [IP_CLIENT, ALL, ['client 203.0.113.9 1', 'ip 203.0.113.9 1', 'global global 1'], 'an address'],
  [USER, ALL, ['client user:42 1', 'user user:42 1', 'global global 1'], 'a user without an address'],
  [KEY, ALL, ['client key:abc 1', 'global global 1'], 'a key'],
  [EVERYONE, ALL, ['global global 1'], 'all clients'],
  [IP_CLIENT, [byName('user'), byName('ip', { mode: 'shadow' })], ['user 203.0.113.9 1', 'ip 203.0.113.9 1'], 'no enforced limit is left for an address'],
  [IP_CLIENT, [byName('user'), byName('ip')], ['ip 203.0.113.9 1'], 'an enforced limit is left'],
  [IP_CLIENT, [byName('user'), byName('ip'), byName('client', { mode: 'shadow' })], ['ip 203.0.113.9 1', 'client 203.0.113.9 1'], 'an enforced limit is left, and another']
]
for (const [client, limits, charges, why] of withoutRequest) {
  t.test(`without a request, ${client.partition} under limits by ${limits.map(({ by }) => by).join(', ')}: ${why}`, async (t) => {
    t.strictSame(describe(createBuilder().buildWithoutRequest(createPolicy({ limits }), client)), charges)
  })
}

t.test('without a request, each limit has its units, and a slot is taken where it applies', async (t) => {
  const costs = createPolicy({ limits: [byName('client'), byName('global')], costs: [2, 3] })
  t.strictSame(describe(createBuilder().buildWithoutRequest(costs, USER)), ['client user:42 2', 'global global 3'])
  t.strictSame(describe(createBuilder().buildWithoutRequest(slots(), USER)), ['client user:42 1', 'concurrency user:42 1'])
  t.strictSame(describe(createBuilder().buildWithoutRequest(slots('ip'), USER)), ['client user:42 1'])
  t.strictSame(describe(createBuilder(false).buildWithoutRequest(slots(), USER)), ['client user:42 1'])
})

const impossible: ReadonlyArray<readonly [client: Client, fields: Partial<Policy>, message: string]> = [
  [USER, { limits: [byName('ip')] }, 'rateLimit: no limit applies to the partition "user:42"; see the option "by"'],
  [USER, { limits: [byName('ip'), byName('user', { mode: 'shadow' })] }, 'rateLimit: no limit applies to the partition "user:42"; see the option "by"'],
  [USER, { limits: [byName('ip', { mode: 'shadow' })], isEnforced: false }, 'rateLimit: no limit applies to the partition "user:42"; see the option "by"'],
  [KEY, { limits: [byName('user')] }, 'rateLimit: no limit applies to the partition "key:abc"; see the option "by"'],
  [USER, { dynamicLimits: [] }, 'rateLimit.max: is a function of the request, and consume has no request; set a number for it'],
  [USER, { cost: () => 1 }, 'rateLimit.cost: is a function of the request, and consume has no request; set a number for it']
]
for (const [index, [client, fields, message]] of impossible.entries()) {
  t.test(`without a request, impossible ${index}: ${message}`, async (t) => {
    t.throws(() => createBuilder().buildWithoutRequest(createPolicy(fields), client), { code: 'FST_SLUICE_CONTRADICTION', message })
  })
}

t.test('without a request, limits in shadow mode are enough for a policy of only such', async (t) => {
  const policy = createPolicy({ limits: [byName('user', { mode: 'shadow' })], isEnforced: false })
  t.strictSame(describe(createBuilder().buildWithoutRequest(policy, USER)), ['user user:42 1'])
})

t.test('an address is its own partition', async (t) => {
  t.equal((await build({}))[0].partition, ADDRESS)
})
