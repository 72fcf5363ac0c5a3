// Requests that a later hook limits: asked for when they come, charged if they end before it.
import { EventEmitter } from 'node:events'
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import type { Client } from '../../lib/model/client.js'
import type { Policy } from '../../lib/policies/policy.js'
import type { Responder } from '../../lib/request/answer.js'
import type { Cost } from '../../lib/request/cost.js'
import type { Decider } from '../../lib/request/decide.js'
import type { RequestDecision } from '../../lib/request/decision.js'
import { DeferredLimiter } from '../../lib/request/deferred.js'
import { DeferredRequest } from '../../lib/request/deferred-request.js'
import type { LimiterContext } from '../../lib/request/limiter-context.js'
import type { Receipt } from '../../lib/stores/store.js'
import { ADDRESS, CorrectedStore, createDecisionOf, createPolicy, createReceipt, createStanding, IP_CLIENT, USER } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

const left = (remaining: number) => createReceipt([createStanding(limitOf(), { charged: 0, remaining })])
const refused = createReceipt([createStanding(limitOf(), { granted: false, charged: 0, remaining: 0, retryUs: 5_000_000 })])

type Decided = Receipt | 'exempt' | 'unavailable' | null

interface Scene {
  readonly policy?: Partial<Policy>
  /** What each call of `decideEarly` decides, in order; of a promise, later. */
  readonly decided?: Array<Decided | Promise<Decided>>
  readonly cost?: Cost | Promise<Cost>
  readonly hasExemptions?: boolean
  readonly isExemptAddress?: boolean
  readonly isExempt?: boolean | Promise<boolean>
  readonly user?: Client | null
  readonly hasUsers?: boolean
  readonly status?: number
}

function start (scene: Scene = {}) {
  const { policy: fields = {}, decided = [left(5)], cost = 1, status = 400 } = scene
  const { hasExemptions = true, isExemptAddress = false, isExempt = false, user = null, hasUsers = false } = scene
  const events: string[] = []
  const store = new CorrectedStore()
  const policy = createPolicy(fields)
  const toDecision = (result: Decided) => result === null ? null : createDecisionOf(result, { policy, store })
  const decider = {
    decideEarly: (given: Policy, _request: FastifyRequest, client: Client, cost: Cost) => {
      events.push(`ask ${client.partition} ${JSON.stringify(cost)}${given === policy ? '' : ' wrong'}`)
      const next = decided.shift() ?? null
      return next instanceof Promise ? next.then(toDecision) : toDecision(next)
    },
    resolveEarlyCost: () => cost
  } as unknown as Decider
  const answered: RequestDecision[] = []
  const responder = {
    answer: (decision: RequestDecision) => {
      answered.push(decision)
      events.push(`answer ${decision.outcome}`)
    },
    record: (decision: RequestDecision) => { events.push(`record ${decision.outcome}`) }
  } as unknown as Responder
  const context = {
    exemptions: hasExemptions ? { hasAddress: (address: string) => isExemptAddress && address === ADDRESS, isExemptRequest: () => isExempt } : null,
    identifier: { identifyByAddress: () => IP_CLIENT, getAddress: () => ADDRESS, findUserEarly: async () => user, hasUsers }
  }
  const limiter = new DeferredLimiter(context as unknown as LimiterContext, decider, responder)
  const create = () => {
    const raw = Object.assign(new EventEmitter(), { socket: {}, destroyed: false, writableFinished: false, headersSent: true, statusCode: status })
    const removed: string[] = []
    const reply = {
      raw,
      request: { rateLimit: null, raw: { socket: { destroyed: false, errored: null } } },
      statusCode: status,
      removeHeader: (name: string) => { removed.push(name) }
    } as unknown as FastifyReply
    const deferred = new DeferredRequest(policy, 'route', reply, { limit: () => { events.push('limit') } })
    return {
      deferred,
      removed,
      defer: () => { limiter.defer(deferred, (error) => { events.push(error === undefined ? 'next' : `next ${error.message}`) }) },
      end: (payload: unknown = 'body') => { deferred.end({ payload, pass: () => { events.push('pass') } }) },
      finish: (isSent = true) => {
        if (isSent) raw.emit('finish')
        raw.emit('close')
      },
      hook: () => { deferred.limit(() => {}) }
    }
  }
  return { ...create(), create, events, answered, store, policy }
}

const turns = async () => { for (let i = 0; i < 20; i++) await null }

t.test('a request goes on while its address has units, and costs nothing in its hook', async (t) => {
  const { defer, hook, finish, events } = start()
  defer()
  t.strictSame(events, ['ask ip:203.0.113.9 0', 'next'])
  hook()
  finish()
  t.strictSame(events.slice(2), ['limit'])
})

t.test('an exempt address is not asked for', async (t) => {
  const { defer, end, events } = start({ isExemptAddress: true })
  defer()
  end()
  t.strictSame(events, ['next', 'pass'])
})

t.test('a policy that does not limit the address is not watched', async (t) => {
  const { defer, end, finish, events } = start({ decided: [null] })
  defer()
  end()
  finish()
  t.strictSame(events, ['ask ip:203.0.113.9 0', 'next', 'pass'])
})

t.test('an answer that comes later, or fails', async (t) => {
  const late = start({ decided: [Promise.resolve(left(1))] })
  late.defer()
  t.strictSame(late.events, ['ask ip:203.0.113.9 0'])
  await turns()
  t.strictSame(late.events.slice(1), ['next'])
  const failing = start({ decided: [Promise.reject(new Error('broken'))] })
  failing.defer()
  await turns()
  t.strictSame(failing.events.slice(1), ['next broken'])
})

t.test('an exhausted address is refused, by a charge that counts as a strike', async (t) => {
  for (const first of [refused, left(0)]) {
    const { defer, end, events } = start({ decided: [first, refused] })
    defer()
    await turns()
    t.strictSame(events, ['ask ip:203.0.113.9 0', 'ask ip:203.0.113.9 1', 'answer rejected'])
    end()
    t.strictSame(events.slice(3), ['pass'])
  }
})

t.test('units that became free in the meantime are given back, and the request goes on', async (t) => {
  const { defer, events, store } = start({ decided: [left(0), createReceipt()] })
  defer()
  await turns()
  t.strictSame(events.slice(2), ['next'])
  t.strictSame(store.units, [{ 'app/default': -1 }])
})

t.test('a policy that does not limit the address any more lets it go on', async (t) => {
  const { defer, events } = start({ decided: [left(0), null] })
  defer()
  await turns()
  t.strictSame(events.slice(2), ['next'])
})

t.test('an exhausted address does not refuse an exempt request, nor a user with units left', async (t) => {
  const exempt = start({ decided: [refused], isExempt: Promise.resolve(true) })
  exempt.defer()
  await turns()
  t.strictSame(exempt.events, ['ask ip:203.0.113.9 0', 'next'])
  for (const own of [left(1), null]) {
    const user = start({ decided: [refused, own], user: USER })
    user.defer()
    await turns()
    t.strictSame(user.events, ['ask ip:203.0.113.9 0', 'ask user:42 0', 'next'])
  }
})

t.test('without exemptions all requests count', async (t) => {
  const exhausted = start({ hasExemptions: false, decided: [refused, refused] })
  exhausted.defer()
  await turns()
  t.equal(exhausted.events.at(-1), 'answer rejected')
  const { defer, end, events } = start({ hasExemptions: false, decided: [left(5), createReceipt()] })
  defer()
  end()
  t.strictSame(events.slice(2), ['ask ip:203.0.113.9 1', 'record allowed', 'pass'])
})

t.test('one limit of several that is used up is charged, and refuses', async (t) => {
  const limits = [limitOf({ bucket: 'a' }), limitOf({ bucket: 'b' })]
  const used = createReceipt([createStanding(limits[0], { remaining: 5 }), createStanding(limits[1], { remaining: 0 })])
  const { defer, events } = start({ policy: { limits }, decided: [used, refused] })
  defer()
  await turns()
  t.strictSame(events, ['ask ip:203.0.113.9 0', 'ask ip:203.0.113.9 1', 'answer rejected'])
})

t.test('an aborted request that costs nothing, or is not limited any more, owes nothing', async (t) => {
  for (const [scene, asked] of [[{ cost: 0 }, []], [{ decided: [left(5), null] }, ['ask ip:203.0.113.9 1']]] as const) {
    const { defer, finish, events, store } = start({ ...scene, decided: [left(5), null] })
    defer()
    finish(false)
    t.strictSame(events.slice(2), asked)
    t.strictSame(store.calls, [])
  }
})

t.test('a user without units is refused', async (t) => {
  const { defer, events, answered } = start({ decided: [refused, left(0), refused], user: USER })
  defer()
  await turns()
  t.strictSame(events, ['ask ip:203.0.113.9 0', 'ask user:42 0', 'ask ip:203.0.113.9 1', 'answer rejected'])
  t.equal(answered.length, 1)
})

t.test('without a store, closed refuses and open lets go on', async (t) => {
  const closed = start({ policy: { failureMode: 'closed' }, decided: ['unavailable'] })
  closed.defer()
  await turns()
  t.strictSame(closed.events, ['ask ip:203.0.113.9 0', 'answer unavailable'])
  const open = start({ policy: { failureMode: 'open' }, decided: ['unavailable'] })
  open.defer()
  t.strictSame(open.events, ['ask ip:203.0.113.9 0', 'next'])
})

t.test('requests before their hook count, until it is reached: more are refused for a second', async (t) => {
  const scene = start({ decided: [left(2), left(2), left(2), left(2)] })
  scene.defer()
  scene.create().defer()
  scene.create().defer()
  await turns()
  t.strictSame(scene.events.slice(-2), ['ask ip:203.0.113.9 0', 'answer rejected'])
  t.match(scene.answered[0], { outcome: 'rejected', retryAfterMs: 1000 })
  scene.hook()
  scene.create().defer()
  await turns()
  t.strictSame(scene.events.slice(-3), ['limit', 'ask ip:203.0.113.9 0', 'next'])
})

t.test('where users may be found, requests do not count under limits by client', async (t) => {
  const scene = start({ decided: [left(1), left(1)], hasUsers: true })
  scene.defer()
  scene.create().defer()
  t.strictSame(scene.events.slice(-1), ['next'])
})

const ended: ReadonlyArray<readonly [second: Decided | Promise<Decided>, after: string[], why: string]> = [
  [createReceipt(), ['ask ip:203.0.113.9 1', 'record allowed', 'pass'], 'with units left its response passes'],
  [refused, ['ask ip:203.0.113.9 1', 'answer rejected'], 'without units it is refused in its place'],
  [Promise.resolve(refused), ['ask ip:203.0.113.9 1', 'answer rejected'], 'the store answers later'],
  [Promise.reject(new Error('broken')), ['ask ip:203.0.113.9 1', 'pass'], 'the store fails'],
  [null, ['ask ip:203.0.113.9 1', 'pass'], 'the policy does not limit it any more']
]
for (const [second, after, why] of ended) {
  t.test(`a request that ends before its hook is charged: ${why}`, async (t) => {
    if (second instanceof Promise) second.catch(() => {})
    const { defer, end, finish, events } = start({ decided: [left(5), second] })
    defer()
    end()
    await turns()
    t.strictSame(events.slice(2), after)
    finish()
    await turns()
    t.strictSame(events.slice(2), after, 'once')
  })
}

t.test('in place of a refused response its stream is closed, and its headers are removed', async (t) => {
  const { defer, end, removed } = start({ decided: [left(5), refused] })
  const stream = new Readable({ read () {} })
  defer()
  end(stream)
  t.equal(stream.destroyed, true)
  t.strictSame(removed, ['content-length', 'content-encoding', 'transfer-encoding'])
})

t.test('a response that passes keeps its stream', async (t) => {
  const { defer, end, removed } = start({ decided: [left(5), createReceipt()] })
  const stream = new Readable({ read () {} })
  defer()
  end(stream)
  t.equal(stream.destroyed, false)
  t.strictSame(removed, [])
})

const free: ReadonlyArray<readonly [scene: Scene, why: string]> = [
  [{ cost: 0 }, 'it costs nothing'],
  [{ cost: Promise.resolve(0) }, 'it turns out to cost nothing'],
  [{ cost: [0, 0] }, 'none of its limits costs anything'],
  [{ cost: Promise.reject(new Error('broken')) }, 'its cost is not known'],
  [{ isExempt: true }, 'it is exempt'],
  [{ isExempt: Promise.resolve(true) }, 'it turns out to be exempt'],
  [{ isExempt: Promise.resolve(true), cost: Promise.resolve(3) }, 'it turns out to be exempt, whatever it costs']
]
for (const [scene, why] of free) {
  t.test(`a request that ends before its hook is not charged: ${why}`, async (t) => {
    if (scene.cost instanceof Promise) scene.cost.catch(() => {})
    const { defer, end, events } = start(scene)
    defer()
    end()
    await turns()
    t.strictSame(events, ['ask ip:203.0.113.9 0', 'next', 'pass'])
  })
}

t.test('a cost that comes later is charged, as is a request that turns out not to be exempt', async (t) => {
  for (const scene of [{ cost: Promise.resolve(3) }, { cost: 3, isExempt: Promise.resolve(false) }]) {
    const { defer, end, events } = start({ ...scene, decided: [left(5), createReceipt()] })
    defer()
    end()
    await turns()
    t.strictSame(events.slice(2), ['ask ip:203.0.113.9 3', 'record allowed', 'pass'])
  }
})

t.test('a request that a guard has charged is not charged again', async (t) => {
  const { defer, deferred, end, events, policy } = start()
  defer()
  deferred.reply.request.rateLimit = createDecisionOf(createReceipt(), { policy })
  end()
  t.strictSame(events.slice(2), ['pass'])
})

t.test('an aborted request is charged, into debt if it would be refused', async (t) => {
  const paid = start({ decided: [left(5), createReceipt()] })
  paid.defer()
  paid.finish(false)
  t.strictSame(paid.events.slice(2), ['ask ip:203.0.113.9 1', 'record allowed'])
  const owing = start({ decided: [left(5), refused], cost: 4 })
  owing.defer()
  owing.finish(false)
  t.strictSame(owing.events.slice(2), ['ask ip:203.0.113.9 4'])
  t.strictSame(owing.store.units, [{ 'app/default': 4 }])
  const closed = start({ decided: [left(5), 'unavailable'], policy: { failureMode: 'closed' } })
  closed.defer()
  closed.finish(false)
  t.strictSame(closed.events.slice(2), ['ask ip:203.0.113.9 1', 'record unavailable'], 'nothing is known to be owed')
})

t.test('a request that is over no longer counts', async (t) => {
  for (const [isSent, isOver] of [[true, true], [false, true]] as const) {
    const scene = start({ decided: [left(1), createReceipt(), left(1)] })
    scene.defer()
    scene.finish(isSent)
    scene.create().defer()
    t.equal(scene.events.at(-1) === 'next', isOver)
  }
})

const refundOn = { isEmpty: false, has: (status: number | null) => status === 401 } as NonNullable<Policy['refundOn']>

t.test('a response whose units are refunded is not charged once it was sent, and is if it was not', async (t) => {
  for (const [status, isSent, isCharged] of [[401, true, false], [401, false, true], [400, true, true]] as const) {
    const { defer, finish, end, events } = start({ policy: { refundOn }, status, decided: [left(5), createReceipt()] })
    defer()
    if (status === 401) end()
    finish(isSent)
    t.strictSame(events.slice(2).filter((event) => event !== 'pass'), isCharged ? ['ask ip:203.0.113.9 1', 'record allowed'] : [])
  }
})

t.test('a hook that runs while the charge is made charges the request itself', async (t) => {
  for (const second of [createReceipt(), refused, null]) {
    const { defer, end, hook, events, store } = start({ decided: [left(5), Promise.resolve(second)] })
    defer()
    end()
    hook()
    await turns()
    t.strictSame(events.slice(2), ['ask ip:203.0.113.9 1', 'limit', 'pass'])
    t.strictSame(store.units, second === null || second === refused ? [] : [{ 'app/default': -1 }])
  }
})
