// The checker on small histories that are written by hand: each kind of violation is found, and each exception is allowed.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  blocked, BUCKET, fault, FIXED, granted, historyOf, MS, policyOf, refused, SECOND, SLIDING, times, unavailable, type Scene
} from './by-hand.js'
import { checkHistory } from './check/check.js'
import type { ViolationKind } from './check/violation.js'
import { formatViolation } from './report.js'

const PENALTY = policyOf(BUCKET, { penalty: { strikes: 3, withinUs: SECOND, maxCooldownUs: 4 * SECOND } })
const SEVERAL = policyOf([{ ...BUCKET, name: 'short', burst: 2 }, { ...SLIDING, name: 'long' }])
const OPEN = policyOf(FIXED, { failureMode: 'open' })
const LOCAL = policyOf(BUCKET, { failureMode: 'local' })
/** A bucket of five units that is used up, and refuses. */
const USED_UP = [...times(5, (i) => granted(i)), refused(6)]

const violations: ReadonlyArray<readonly [kind: ViolationKind, title: string, scene: Scene]> = [
  ['over-admission', 'a bucket grants six units at once', { policy: policyOf(BUCKET), decisions: times(6, (i) => granted(i)) }],
  ['over-admission', 'instances together grant six units', { policy: policyOf(BUCKET), decisions: times(6, (i) => granted(i, { instance: i % 4 })) }],
  ['over-admission', 'a bucket grants more than its rate in the long run', {
    policy: policyOf(BUCKET), decisions: times(60, (i) => granted(i * 90))
  }],
  ['over-admission', 'a cost of more than a burst', { policy: policyOf(BUCKET), decisions: [granted(0, { cost: 6 })] }],
  ['over-admission', 'a sliding window holds four units', { policy: policyOf(SLIDING), decisions: [0, 400, 800, 990].map((atMs) => granted(atMs)) }],
  ['over-admission', 'a fixed window holds four units', { policy: policyOf(FIXED), decisions: [0, 400, 800, 990].map((atMs) => granted(atMs)) }],
  ['over-admission', 'the second fixed window holds four units', {
    policy: policyOf(FIXED), decisions: [0, 1500, 1600, 2000, 2400].map((atMs) => granted(atMs))
  }],
  ['over-admission', 'two more bursts after one loss', {
    policy: policyOf(BUCKET), decisions: times(15, (i) => granted(i * 2)), faults: [fault('flushed', 10, 12)]
  }],
  ['over-admission', 'an instance grants three budgets while the store is away', {
    policy: LOCAL, decisions: times(15, (i) => granted(i, { instance: 1 })), faults: [fault('redis stopped', 0, 1000)]
  }],
  ['over-admission', 'instances grant more than one budget together, long after an outage', {
    policy: LOCAL, decisions: times(8, (i) => granted(5000 + i, { instance: i % 4 })), faults: [fault('redis stopped', 0, 1000)]
  }],
  ['under-admission', 'a refusal by a bucket that nothing used', { policy: policyOf(BUCKET), decisions: [refused(0)] }],
  ['under-admission', 'a refusal though enough has drained', {
    policy: policyOf(BUCKET), decisions: [...times(5, (i) => granted(i)), refused(250, { retryAfter: 1 })]
  }],
  ['under-admission', 'a sliding window keeps a unit too long', { policy: policyOf(SLIDING), decisions: [0, 1, 2].map((atMs) => granted(atMs)).concat(refused(1020)) }],
  ['under-admission', 'a fixed window lasts too long', { policy: policyOf(FIXED), decisions: [0, 1, 2].map((atMs) => granted(atMs)).concat(refused(1020)) }],
  ['under-admission', 'leased units are away longer than a lease', {
    policy: policyOf({ ...BUCKET, leaseUs: SECOND }), decisions: [granted(0), refused(2000)]
  }],
  ['all or none', 'a request that one limit refused was charged to the other', {
    policy: SEVERAL, decisions: [granted(0), granted(1), refused(2, { violated: 1 }), refused(300, { violated: 2 })]
  }],
  ['Retry-After too short', 'a client is refused again after the wait', {
    policy: policyOf({ ...BUCKET, max: 1, burst: 1 }), decisions: [granted(0), refused(100, { retryAfter: 1 }), refused(1101.5, { retryAfter: 1 })]
  }],
  ['Retry-After too long', 'a wait of more than the unit takes', { policy: policyOf(BUCKET), decisions: [...times(5, (i) => granted(i)), refused(6, { retryAfter: 2 })] }],
  ['Retry-After too long', 'a refusal without a wait', { policy: policyOf(BUCKET), decisions: [...times(5, (i) => granted(i)), refused(6, { retryAfter: -1 })] }],
  ['late answer', 'a request waits for a store that is away', {
    policy: policyOf(BUCKET), decisions: [unavailable(2000, { waitUs: 1400 * MS })], faults: [fault('redis stopped', 1000, 2000)]
  }],
  ['no answer', 'a request gets none, and its instance lives', { policy: policyOf(BUCKET), decisions: [granted(0, { status: 0, remaining: -1 })] }],
  ['wrong answer', 'an error of the service', { policy: policyOf(BUCKET), decisions: [granted(0, { status: 500, refusal: 'other', remaining: -1 })] }],
  ['wrong answer', 'a 503 by a policy that is not closed', {
    policy: LOCAL, decisions: [unavailable(0)], faults: [fault('redis stopped', 0, 1000)]
  }],
  ['not enforced', 'a 503 long after the end of an outage', {
    policy: policyOf(BUCKET), decisions: [unavailable(2600)], faults: [fault('redis stopped', 0, 1000)]
  }],
  ['not enforced', 'a 503 by an instance whose connection is whole', {
    policy: policyOf(BUCKET), decisions: [unavailable(500, { instance: 1 })], faults: [fault('refused', 0, 1000, 2)]
  }],
  ['not enforced', 'a 503 during a short stall of the probe', { policy: policyOf(BUCKET), decisions: [unavailable(50)], faults: [fault('stall', 0, 100)] }],
  ['not enforced', 'a 503 after a flush of scripts', { policy: policyOf(BUCKET), decisions: [unavailable(1)], faults: [fault('scripts flushed', 0, 1)] }],
  ['not enforced', 'a request passes uncounted without an outage', { policy: OPEN, decisions: [granted(0, { remaining: -1 })] }],
  ['block not kept', 'a request is granted during a block', {
    policy: PENALTY, decisions: [...USED_UP, refused(7), blocked(8, { retryAfter: 2 }), granted(600)]
  }],
  ['block too early', 'a client is blocked after one refusal', { policy: PENALTY, decisions: [...USED_UP, blocked(8)] }]
]

for (const [kind, title, scene] of violations) {
  t.test(`${kind}: ${title}`, async (t) => {
    const history = historyOf(scene)
    const { violations } = checkHistory(history)
    t.strictSame([...new Set(violations.map((violation) => violation.kind))], [kind])
    for (const violation of violations) t.match(formatViolation(violation, history), /^.+: policy policy, client client, .+\n {2}/, 'it is shown with its events')
  })
}

const allowed: ReadonlyArray<readonly [title: string, scene: Scene]> = [
  ['a burst, and the rate', { policy: policyOf(BUCKET), decisions: [...times(5, (i) => granted(i)), ...times(50, (i) => granted(100 * (i + 1)))] }],
  ['a refusal by a bucket that is used up', { policy: policyOf(BUCKET), decisions: USED_UP }],
  ['six grants of which one may have been much later', {
    policy: policyOf(BUCKET), decisions: [...times(5, (i) => granted(i)), granted(0, { untilUs: 200 * MS })]
  }],
  ['a refusal while a charge may just have been made', {
    policy: policyOf(BUCKET), decisions: [...times(4, (i) => granted(i)), granted(4, { untilUs: 50 * MS }), refused(5)]
  }],
  ['a window, and the next one at its end', { policy: policyOf(SLIDING), decisions: [0, 1, 2, 1001, 1002, 1003].map((atMs) => granted(atMs)) }],
  ['two fixed windows around the end of the first', { policy: policyOf(FIXED), decisions: [0, 990, 995, 1001, 1002, 1003].map((atMs) => granted(atMs)) }],
  ['one more burst after a loss', { policy: policyOf(BUCKET), decisions: times(10, (i) => granted(i * 2)), faults: [fault('flushed', 9, 11)] }],
  ['one more window after a restart without data', {
    policy: policyOf(SLIDING), decisions: times(6, (i) => granted(i * 2)), faults: [fault('redis killed', 5, 7)]
  }],
  ['one more fixed window after a failover', {
    policy: policyOf(FIXED), decisions: times(6, (i) => granted(i * 2)), faults: [fault('failover', 5, 7)]
  }],
  ['the rate of two servers while one is being demoted, beside the burst', {
    policy: policyOf(BUCKET), decisions: [...times(10, (i) => granted(i)), ...times(20, (i) => granted(50 * (i + 1)))], faults: [fault('failover', 0, 1001)]
  }],
  ['leased units of a lost bucket beside a new burst', {
    policy: policyOf({ ...BUCKET, leaseUs: SECOND }), decisions: times(10, (i) => granted(500 + i)), faults: [fault('flushed', 9, 11)]
  }],
  ['held requests of a lost bucket beside a new burst', {
    policy: policyOf({ ...BUCKET, maxDelayUs: 300 * MS }), decisions: times(13, (i) => granted(i * 2)), faults: [fault('flushed', 9, 11)]
  }],
  ['a budget of each instance while the store is away', {
    policy: LOCAL, decisions: times(20, (i) => granted(i, { instance: i % 4 })), faults: [fault('redis stopped', 0, 1000)]
  }],
  ['a refusal by the budget of an instance while the store is away', {
    policy: LOCAL, decisions: [...times(5, (i) => granted(i)), refused(6)], faults: [fault('redis stopped', 0, 1000)]
  }],
  ['a call that was given up charges late', {
    policy: policyOf(BUCKET), decisions: [...times(5, (i) => unavailable(i)), refused(3000)], faults: [fault('redis paused', 0, 1600)]
  }],
  ['no answer from an instance that is killed', {
    policy: policyOf(BUCKET), decisions: [granted(0, { status: 0, remaining: -1, untilUs: 100 * MS })], faults: [fault('instance killed', 50, 500, 0)]
  }],
  ['an outage goes on for an instance that was stopped when it ended', {
    policy: policyOf(BUCKET), decisions: [unavailable(5000)], faults: [fault('redis stopped', 0, 1000), fault('instance stopped', 500, 4000, 0)]
  }],
  ['a 503 while the servers were not probed for a deadline', { policy: policyOf(BUCKET), decisions: [unavailable(50)], faults: [fault('stall', 0, 1000)] }],
  ['a wait during a stall', {
    policy: policyOf(BUCKET), decisions: [granted(0, { waitUs: 2000 * MS, untilUs: 2000 * MS })], faults: [fault('instance stopped', 0, 1000, 0)]
  }],
  ['an uncounted request in an outage', { policy: OPEN, decisions: [granted(500, { remaining: -1 })], faults: [fault('redis killed', 0, 1000)] }],
  ['a refusal after the wait, by a client that was charged in between', {
    policy: policyOf({ ...BUCKET, max: 1, burst: 1 }), decisions: [granted(0), refused(100), granted(1000.5), refused(1101.5)]
  }],
  ['a refusal after the wait, by a client that may have been charged just before', {
    policy: policyOf({ ...BUCKET, max: 1, burst: 1 }), decisions: [granted(0), refused(100), refused(1101, { untilUs: 1120 * MS }), granted(1105)]
  }],
  ['a refusal after a wait that was stated while a request was on its way', {
    policy: policyOf({ ...BUCKET, max: 1, burst: 1 }), decisions: [granted(0, { untilUs: 300 * MS }), refused(100), refused(1101)]
  }],
  ['a block after enough refusals, and a grant after it', {
    policy: PENALTY, decisions: [...USED_UP, refused(7), blocked(8), granted(1010)]
  }],
  ['a fixed window that goes on after a failover that lost nothing', {
    policy: policyOf(FIXED), decisions: [0, 500, 900, 1001, 1002, 1003].map((atMs) => granted(atMs)), faults: [fault('failover', 600, 700)]
  }],
  ['a unit more, on a Cluster, while a refused request gave one back', {
    policy: policyOf([{ ...BUCKET, name: 'each' }, { ...BUCKET, name: 'all', isShared: true, burst: 50 }]),
    decisions: [refused(0, { violated: 2, untilUs: 2 * MS }), ...times(6, (i) => granted(1 + i))].map((decision) => decision.status === 200 ? decision : { ...decision, violated: 0 }),
    topology: 'cluster'
  }],
  ['a grant by one instance while another repeats a block that was lost', {
    policy: PENALTY, decisions: [...USED_UP, refused(7), blocked(8, { retryAfter: 3 }), blocked(400, { retryAfter: 3 }), granted(500, { instance: 1 })], faults: [fault('flushed', 300, 310)]
  }],
  ['a limit with more left, on a Cluster, while a refusal of the other is being given back', {
    policy: policyOf([{ ...BUCKET, name: 'each' }, { ...BUCKET, name: 'all', burst: 2, isShared: true }]),
    decisions: [granted(0), granted(1), refused(2, { violated: 2 }), refused(210, { violated: 2, client: 'other' })],
    topology: 'cluster'
  }]
]

for (const [title, scene] of allowed) {
  t.test(`allowed: ${title}`, async (t) => {
    const { violations } = checkHistory(historyOf(scene))
    t.strictSame(violations.map(({ kind, what }) => `${kind}: ${what}`), [])
  })
}

t.test('a history that uses a limit up breaks a promise of one unit less, and of one more', async (t) => {
  for (const limit of [{ ...BUCKET, max: 1, burst: 3 }, SLIDING, FIXED]) {
    const decisions = [...times(3, (i) => granted(i)), refused(100)]
    const changed = (by: number) => policyOf({ ...limit, burst: limit.burst + by, max: limit.algorithm === 'token-bucket' ? limit.max : limit.max + by })
    const kindsFor = (by: number) => checkHistory(historyOf({ policy: changed(by), decisions })).violations.map(({ kind }) => kind)
    t.strictSame([kindsFor(-1), kindsFor(0), kindsFor(1)], [['over-admission'], [], ['under-admission']], limit.algorithm)
  }
})

t.test('the time that is shown is as short as can be', async (t) => {
  const decisions = [...times(30, (i) => granted(i * 100)), ...times(5, (i) => granted(3000 + i))]
  const { violations: [violation] } = checkHistory(historyOf({ policy: policyOf(BUCKET), decisions: [...decisions, granted(3005)] }))
  t.equal(violation.fromUs, 3000 * MS)
  t.equal(violation.untilUs, 3005 * MS + 100)
})

t.test('the checker imports nothing of lib', async (t) => {
  const paths = [...readdirSync('test/histories/check').map((name) => join('test/histories/check', name)), ...['history', 'promises', 'report'].map((name) => `test/histories/${name}.ts`)]
  t.ok(paths.length > 5)
  const imports = paths.flatMap((path) => Array.from(readFileSync(path, 'utf8').matchAll(/from '([^']+)'/g), ([, from]) => from))
  const known = /^node:|^\.\/[a-z-]+\.js$|^\.\.\/(?:history|promises)\.js$|^\.\.\/\.\.\/fixtures\/needed-burst\.js$|^\.\/check\//
  t.strictSame(imports.filter((from) => !known.test(from)), [])
  t.notMatch(readFileSync('test/fixtures/needed-burst.ts', 'utf8'), /^import /m)
})
