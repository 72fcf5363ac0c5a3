import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { CallGuard } from '../../lib/resilience/call-guard.js'
import { ManualClock } from '../fixtures/manual-clock.js'

function guardOf (t: Test) {
  mock.timers.enable({ apis: ['setInterval', 'setImmediate'] })
  t.teardown(() => mock.timers.reset())
  const clock = new ManualClock()
  const events: string[] = []
  const guard = new CallGuard(50, { failures: 2, withinMs: 10_000, openForMs: 5000 }, clock, (state) => { events.push(state) })
  function pass (ms: number) {
    for (let i = 0; i < ms; i += 10) {
      clock.advance(10_000)
      mock.timers.tick(10)
    }
  }
  return { guard, events, pass, clock }
}

t.test('a call that expires is a failure, told before the change that it causes', async (t) => {
  const { guard, events, pass } = guardOf(t)
  guard.begin(() => { events.push('first expired') })
  guard.begin(() => { events.push('second expired') })
  pass(80)
  t.strictSame(events, ['first expired', 'second expired', 'open'])
})

t.test('a call that expired hears no further word', async (t) => {
  const { guard, events, pass } = guardOf(t)
  const call = guard.begin(() => { events.push('expired') })
  pass(80)
  call?.settle(false)
  call?.settle(true)
  call?.settle(false)
  t.strictSame(events, ['expired'])
  t.equal(guard.breaker.state, 'closed', 'it failed once, not three times')
})

t.test('a call is settled once', async (t) => {
  const { guard, pass } = guardOf(t)
  const call = guard.begin(() => t.fail('it was settled'))
  call?.settle(false)
  call?.settle(false)
  pass(100)
  t.equal(guard.breaker.state, 'closed')
})

t.test('a probe that hangs fails at its deadline, so that the breaker never stays half-open', async (t) => {
  const { guard, pass, clock } = guardOf(t)
  guard.begin(() => {})?.settle(false)
  guard.begin(() => {})?.settle(false)
  t.equal(guard.begin(() => {}), null)
  clock.advance(5_000_000)
  let isExpired = false
  t.ok(guard.begin(() => { isExpired = true }))
  t.equal(guard.begin(() => {}), null)
  pass(80)
  t.ok(isExpired)
  t.equal(guard.breaker.state, 'open')
})

t.test('closing gives up every call', async (t) => {
  const { guard, events } = guardOf(t)
  guard.begin(() => { events.push('a') })
  guard.begin(() => { events.push('b') })
  guard.close()
  t.strictSame(events.slice(0, 2), ['a', 'b'])
})
