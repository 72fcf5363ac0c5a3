import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { RefusalLog } from '../../../lib/observability/refusal-log/refusal-log.js'
import { SECOND } from '../../fixtures/app.js'
import { assertProperty } from '../../fixtures/property.js'
import { createDecision, createIpClient, createRefusalLog, createRefusal, type WrittenLine } from '../../fixtures/refusal-log.js'
import { until } from '../../fixtures/until.js'

const policy = { scope: 'default' }
const KINDS = ['rejected', 'blocked', 'began', 'unavailable', 'shadow'] as const

function refuse (log: RefusalLog, request: Parameters<RefusalLog['logRefusal']>[0], kind: typeof KINDS[number], address: string): void {
  const client = createIpClient(address)
  switch (kind) {
    case 'rejected': return log.logRefusal(request, policy, createRefusal(client))
    case 'blocked': return log.logRefusal(request, policy, createRefusal(client, { blocks: [{ began: false }] }))
    case 'began': return log.logRefusal(request, policy, createRefusal(client, { blocks: [{ began: true }] }))
    case 'unavailable': return log.logRefusal(request, policy, createDecision(client, 'unavailable'))
    case 'shadow': return log.logShadowRefusal(request, policy, createDecision(client, 'exempt'), { name: 'default', retryAfterMs: 0 })
    default: return kind satisfies never
  }
}

/** How many refusals a line stands for. */
function refusalsIn ({ fields }: WrittenLine): number {
  return Number(fields.repeats ?? fields.refusals ?? 1)
}

function sum (lines: readonly WrittenLine[]): number {
  return lines.reduce((total, line) => total + refusalsIn(line), 0)
}

t.test('a million clients are 250 lines, and one that tells how many they were', async (t) => {
  const { log, lines, request } = createRefusalLog(t)
  const one = request()
  for (let i = 0; i < 1_000_000; i++) {
    log.logRefusal(one, policy, createDecision(createIpClient(`${i >>> 16}.${i >>> 8 & 255}.${i & 255}.9`), 'unavailable'))
  }
  t.equal(lines.length, 250)
  log.close()
  t.equal(lines.length, 251)
  const { fields, message } = lines[250]
  t.equal(message, 'rate limit: store unavailable, refused, too many to list one by one')
  t.strictSame({ ...fields, clients: 0 }, { refusals: 999_750, clients: 0, mode: 'enforce', outcome: 'unavailable', withinMs: 0 })
  t.ok(Math.abs(Number(fields.clients) - 999_750) < 100_000, String(fields.clients))
})

t.test('a client beyond those with lines of their own is told from many', async (t) => {
  const { log, lines, request } = createRefusalLog(t)
  for (let i = 0; i < 250; i++) refuse(log, request(), 'rejected', `client ${i}`)
  for (let i = 0; i < 1000; i++) refuse(log, request(), 'rejected', '203.0.113.9')
  log.close()
  t.match(lines[250], { fields: { refusals: 1000, clients: 1 } })
})

t.test('no kind of refusal crowds out another', async (t) => {
  const { log, lines, request } = createRefusalLog(t)
  for (let i = 0; i < 1000; i++) {
    for (const kind of KINDS) refuse(log, request(), kind, `client ${i}`)
  }
  t.equal(lines.length, 5 * 250)
  t.equal(lines.filter(({ message }) => message === 'rate limit: block began').length, 250)
})

t.test('an interval has 2505 lines at most, and the next begins with room for all', async (t) => {
  const { log, lines, request, clock } = createRefusalLog(t)
  for (let interval = 0; interval < 2; interval++) {
    for (let i = 0; i < 3000; i++) {
      for (const kind of KINDS) refuse(log, request(), kind, `client ${i % 1000}`)
    }
    clock.advance(10 * SECOND)
    log.flushIfDue()
    await until('everything is written', 5000, () => lines.length >= (interval + 1) * 2505)
  }
  t.equal(lines.length, 2 * 2505)
  t.equal(sum(lines), 2 * 3000 * KINDS.length)
})

t.test('the end of an interval gives way to requests between its lines', async (t) => {
  const { log, lines, request, clock } = createRefusalLog(t)
  for (let i = 0; i < 400; i++) refuse(log, request(), 'rejected', `client ${i % 200}`)
  clock.advance(10 * SECOND)
  log.flushIfDue()
  t.equal(lines.length, 225)
  await setImmediate()
  t.ok(lines.length < 400)
  log.close()
  t.equal(lines.length, 400)
  await setImmediate()
  t.equal(lines.length, 400)
})

t.test('an interval that ends before the one before it is written loses nothing', async (t) => {
  const { log, lines, request, clock } = createRefusalLog(t)
  for (let interval = 0; interval < 3; interval++) {
    for (let i = 0; i < 400; i++) refuse(log, request(), 'rejected', `client ${i % 200}`)
    clock.advance(10 * SECOND)
    log.flushIfDue()
  }
  log.close()
  t.equal(sum(lines), 3 * 400)
})

t.test('whatever happens, every refusal is told exactly once', async () => {
  const refusal = fc.record({ kind: fc.constantFrom(...KINDS), client: fc.nat(400) })
  // The room for clients and limits is met too: 250 for each kind.
  const crowd = fc.record({ kind: fc.constantFrom(...KINDS.slice(0, 2)), crowd: fc.integer({ min: 1, max: 300 }) })
  const pause = fc.record({ seconds: fc.integer({ min: 1, max: 15 }) })
  const history = fc.array(fc.oneof({ weight: 3, arbitrary: refusal }, { weight: 2, arbitrary: crowd }, { weight: 2, arbitrary: pause }), { maxLength: 60 })
  assertProperty(history, 300, (steps) => {
    const { log, lines, request, clock } = createRefusalLog({ teardown () {} })
    const one = request()
    let refused = 0
    for (const step of steps) {
      if ('seconds' in step) {
        clock.advance(step.seconds * SECOND)
        log.flushIfDue()
      } else {
        const clients = 'crowd' in step ? Array.from({ length: step.crowd }, (_, i) => i) : [step.client]
        for (const client of clients) refuse(log, one, step.kind, `client ${client}`)
        refused += clients.length
      }
    }
    log.close()
    if (sum(lines) !== refused) throw new Error(`${sum(lines)} told of ${refused}`)
    const firsts = lines.filter(({ by }) => by === 'request')
    if (lines.some(({ fields }) => fields.repeats === 0)) throw new Error('a line of nothing')
    if (firsts.length > refused) throw new Error('more lines than refusals')
  })
})
