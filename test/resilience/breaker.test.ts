import t from 'tap'
import { createCircuit, recordOutcome } from '../../lib/algorithms/breaker.js'
import { Breaker, type BreakerState } from '../../lib/resilience/breaker.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const MS = 1000

function breakerOf ({ failures = 5, withinMs = 10_000, openForMs = 5000 } = {}) {
  const clock = new ManualClock()
  const changes: BreakerState[] = []
  const breaker = new Breaker({ failures, withinMs, openForMs }, clock, (state) => { changes.push(state) })
  return {
    breaker,
    changes,
    pass (ms: number) { clock.advance(ms * MS) },
    /** Make calls that all end the same way; answers how many were let through. */
    call (times: number, isSuccess: boolean): number {
      let made = 0
      for (let i = 0; i < times; i++) {
        const permit = breaker.admit()
        if (permit === null) continue
        made++
        breaker.record(permit, isSuccess)
      }
      return made
    }
  }
}

t.test('the failure that makes it enough opens it, and then no call is let through', async (t) => {
  const { breaker, changes, call } = breakerOf()
  call(4, false)
  t.equal(breaker.state, 'closed')
  call(1, false)
  t.equal(breaker.state, 'open')
  t.equal(call(1000, true), 0)
  t.strictSame(changes, ['open'])
})

t.test('failures that are less than half of the calls do not open it', async (t) => {
  const { breaker, call } = breakerOf()
  call(100, true)
  call(99, false)
  t.equal(breaker.state, 'closed', '99 of 199')
  call(1, false)
  t.equal(breaker.state, 'open', '100 of 200')
})

t.test('failures are counted within the time, and no longer', async (t) => {
  const { breaker, pass, call } = breakerOf()
  call(4, false)
  pass(10_000)
  call(4, false)
  t.equal(breaker.state, 'closed', 'the first four are over')
  pass(9999)
  call(1, false)
  t.equal(breaker.state, 'open', 'the next four are not')
})

t.test('successes fall out of the time as well', async (t) => {
  const { breaker, pass, call } = breakerOf()
  call(1000, true)
  pass(11_000)
  call(5, false)
  t.equal(breaker.state, 'open')
})

t.test('four failures at a time in 10 s never open it at five', async (t) => {
  const { breaker, pass, call } = breakerOf()
  for (let i = 0; i < 1000; i++) {
    call(1, false)
    pass(2500)
  }
  t.equal(breaker.state, 'closed')
})

t.test('it stays open to the last microsecond of its time, and then lets a single probe through', async (t) => {
  const { breaker, pass, call } = breakerOf({ failures: 1 })
  call(1, false)
  pass(4999)
  t.equal(breaker.isAdmitting, false)
  t.equal(breaker.admit(), null)
  pass(1)
  t.equal(breaker.isAdmitting, true, 'and asking changes nothing')
  t.equal(breaker.state, 'open')
  t.not(breaker.admit(), null)
  t.equal(breaker.state, 'half-open')
  t.equal(breaker.isAdmitting, false)
  t.strictSame(Array.from({ length: 100 }, () => breaker.admit()), Array(100).fill(null))
  pass(60_000)
  t.equal(breaker.admit(), null, 'however long the probe takes')
})

t.test('a probe that succeeds closes it, with a clean sheet', async (t) => {
  const { breaker, changes, pass, call } = breakerOf()
  call(5, false)
  pass(5000)
  t.equal(call(1, true), 1)
  t.equal(breaker.state, 'closed')
  call(4, false)
  t.equal(breaker.state, 'closed', 'four new failures are four')
  t.strictSame(changes, ['open', 'half-open', 'closed'])
})

t.test('a probe that fails opens it for as long again', async (t) => {
  const { breaker, changes, pass, call } = breakerOf()
  call(5, false)
  pass(5000)
  t.equal(call(10, false), 1)
  t.equal(breaker.state, 'open')
  pass(4999)
  t.equal(call(1, true), 0)
  pass(1)
  t.equal(call(1, true), 1)
  t.strictSame(changes, ['open', 'half-open', 'open', 'half-open', 'closed'])
})

t.test('the outcome of a call from before a change is ignored', async (t) => {
  const { breaker, pass, call } = breakerOf()
  const early = [breaker.admit(), breaker.admit(), breaker.admit()]
  call(5, false)
  breaker.record(early[0] as number, true)
  t.equal(breaker.state, 'open', 'a late success does not close it')
  pass(5000)
  const probe = breaker.admit()
  breaker.record(early[1] as number, true)
  t.equal(breaker.state, 'half-open', 'nor speaks for the probe')
  breaker.record(early[2] as number, false)
  t.equal(breaker.state, 'half-open')
  breaker.record(probe as number, true)
  t.equal(breaker.state, 'closed')
})

t.test('late failures of the last outage do not count after it', async (t) => {
  const { breaker, pass, call } = breakerOf()
  const late = Array.from({ length: 50 }, () => breaker.admit())
  call(5, false)
  pass(5000)
  call(1, true)
  for (const permit of late) breaker.record(permit as number, false)
  t.equal(breaker.state, 'closed')
})

t.test('it tells how long its state has lasted', async (t) => {
  const { breaker, pass, call } = breakerOf({ failures: 1 })
  pass(250)
  t.equal(breaker.sinceMs, 250)
  call(1, false)
  t.equal(breaker.sinceMs, 0)
  pass(1500)
  t.equal(breaker.sinceMs, 1500)
})

t.test('failures count from the zero of the clock', async (t) => {
  const circuit = createCircuit(0)
  const options = { failures: 2, withinMs: 10_000, openForMs: 5000 }
  for (let i = 0; i < 2; i++) recordOutcome(options, circuit, 0, false, 0)
  t.equal(circuit.state, 'open')
})
