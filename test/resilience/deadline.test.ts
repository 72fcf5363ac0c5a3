import { mock } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { Deadline } from '../../lib/resilience/deadline.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const MS = 1000

/** A deadline over timers and a clock that stand still until they are told otherwise. */
function watched (t: Test, ms: number) {
  mock.timers.enable({ apis: ['setInterval', 'setImmediate'] })
  t.teardown(() => mock.timers.reset())
  const clock = new ManualClock()
  const deadline = new Deadline(ms, clock)
  return {
    deadline,
    /** Time passes, and the loop turns every millisecond. */
    pass (ms: number) {
      for (let i = 0; i < ms; i++) {
        clock.advance(MS)
        mock.timers.tick(1)
      }
    },
    /** The loop is blocked for a while, and then turns once: a timer that is overdue fires once. */
    block (ms: number, tickMs: number) {
      clock.advance(ms * MS)
      mock.timers.tick(tickMs)
    }
  }
}

/** How long a call that nobody answers is waited for, milliseconds; `null`: past a limit. */
function waitOf (watch: ReturnType<typeof watched>, limitMs: number): number | null {
  let isExpired = false
  watch.deadline.watch(() => { isExpired = true })
  for (let ms = 1; ms <= limitMs; ms++) {
    watch.pass(1)
    if (isExpired) return ms
  }
  return null
}

for (const ms of [1, 2, 5, 7, 50, 100, 333, 1000, 5000]) {
  t.test(`a deadline of ${ms} ms gives up a call no sooner, and at most 40 ms later`, async (t) => {
    const watch = watched(t, ms)
    const waited = waitOf(watch, ms + 100)
    t.ok(waited !== null && waited >= ms && waited <= ms + 40, `after ${waited} ms`)
  })

  t.test(`a deadline of ${ms} ms holds for a call that begins between two ticks`, async (t) => {
    const watch = watched(t, ms)
    watch.deadline.watch(() => {})
    watch.pass(Math.ceil(ms / 2))
    const waited = waitOf(watch, ms + 100)
    t.ok(waited !== null && waited >= ms && waited <= ms + 40, `after ${waited} ms`)
  })
}

t.test('calls expire in the order in which they began, each once', async (t) => {
  const { deadline, pass } = watched(t, 50)
  const expired: string[] = []
  deadline.watch(() => { expired.push('a') })
  pass(20)
  deadline.watch(() => { expired.push('b') })
  pass(45)
  t.strictSame(expired, ['a'])
  pass(200)
  t.strictSame(expired, ['a', 'b'])
})

t.test('a call that is settled in time does not expire, whatever is settled around it', async (t) => {
  const { deadline, pass } = watched(t, 50)
  const expired: number[] = []
  const settles = [0, 1, 2, 3, 4].map((number) => deadline.watch(() => { expired.push(number) }))
  settles[3]()
  settles[0]()
  settles[0]()
  pass(100)
  t.strictSame(expired, [1, 2, 4])
  settles[1]()
  deadline.watch(() => { expired.push(5) })
  pass(100)
  t.strictSame(expired, [1, 2, 4, 5], 'settling once more miscounts nothing')
})

t.test('a loop that is blocked for long gets two ticks for all of it', async (t) => {
  const { deadline, pass, block } = watched(t, 50)
  let isExpired = false
  deadline.watch(() => { isExpired = true })
  block(10_000, 10)
  t.notOk(isExpired)
  pass(20)
  t.notOk(isExpired, '40 of 50 ms are counted')
  pass(10)
  t.ok(isExpired)
})

t.test('late timers do not add up: each tick counts the time that passed', async (t) => {
  const { deadline, block } = watched(t, 1000)
  let isExpired = false
  deadline.watch(() => { isExpired = true })
  // Every timer of 20 ms fires after 30.
  for (let i = 0; i < 33; i++) block(30, 20)
  t.notOk(isExpired, 'after 990 ms')
  block(30, 20)
  t.ok(isExpired, 'after 1020 ms')
})

t.test('no timer runs while nothing is waited for', async (t) => {
  const { deadline, pass } = watched(t, 50)
  const timers = t.capture(globalThis, 'setInterval', globalThis.setInterval)
  const cleared = t.capture(globalThis, 'clearInterval', globalThis.clearInterval)
  const settle = deadline.watch(() => {})
  deadline.watch(() => {})()
  settle()
  pass(20)
  t.equal(timers().length, 1)
  t.equal(cleared().length, 1)
  deadline.watch(() => {})
  t.equal(timers().length, 1, 'it starts again with the next call')
  pass(100)
})

t.test('a settled call keeps nothing of its request', async (t) => {
  const { deadline } = watched(t, 50)
  let request: object | null = { body: 'large' }
  const held = new WeakRef(request)
  const settle = ((request: object) => deadline.watch(() => { String(request) }))(request)
  request = null
  settle()
  // A WeakRef holds its object until the turn that made it is over.
  await new Promise((resolve) => process.nextTick(resolve))
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  t.equal(held.deref(), undefined)
  deadline.close()
})

t.test('closing expires what is waited for, and calls after it have a deadline as before', async (t) => {
  const { deadline, pass } = watched(t, 50)
  const expired: string[] = []
  deadline.watch(() => { expired.push('before') })
  deadline.watch(() => { expired.push('settled') })()
  pass(60)
  deadline.watch(() => { expired.push('waiting') })
  deadline.watch(() => { expired.push('also waiting') })
  deadline.close()
  t.strictSame(expired, ['before', 'waiting', 'also waiting'])
  deadline.watch(() => { expired.push('after') })
  pass(100)
  t.strictSame(expired, ['before', 'waiting', 'also waiting', 'after'])
})
