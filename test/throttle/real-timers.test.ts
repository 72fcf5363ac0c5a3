// The room over the process's own clock, timers and turns: bounds are facts of order and count, never of time.
import t from 'tap'
import { systemClock } from '../../lib/common/clock.js'
import { DelayQueue } from '../../lib/throttle/delay-queue.js'

const LIMITS = { maxQueued: 3000, maxQueuedPerClient: 3000 }

t.test('nobody goes early, and all go in order', async (t) => {
  // It stands still while they come, so that their times are known exactly.
  let stoppedUs: number | null = systemClock.nowUs()
  const room = new DelayQueue({ nowUs: () => stoppedUs ?? systemClock.nowUs() })
  const waits = Array.from({ length: 300 }, (_, i) => (i * 7919) % 60_000)
  const gone: number[] = []
  const early: number[] = []
  const startUs = stoppedUs
  await new Promise<void>((resolve) => {
    for (const dueInUs of waits) {
      const onDue = () => {
        if (systemClock.nowUs() < startUs + dueInUs) early.push(dueInUs)
        if (gone.push(dueInUs) === waits.length) resolve()
      }
      room.reserve('queue', 'ip:a', LIMITS)?.hold({ dueInUs, orderKey: String(dueInUs), onDue, onClose: () => {} })
    }
    stoppedUs = null
  })
  t.strictSame(early, [])
  t.strictSame(gone, waits.toSorted((a, b) => a - b))
})

t.test('thousands that are due at once leave in many turns, in order', async (t) => {
  const room = new DelayQueue(systemClock)
  let turns = 0
  const count = () => {
    turns++
    if (gone.length < 3000) setImmediate(count)
  }
  const gone: number[] = []
  const inTurn = new Map<number, number>()
  setImmediate(count)
  await new Promise<void>((resolve) => {
    for (let i = 0; i < 3000; i++) {
      const onDue = () => {
        inTurn.set(turns, (inTurn.get(turns) ?? 0) + 1)
        if (gone.push(i) === 3000) resolve()
      }
      room.reserve('queue', 'ip:a', LIMITS)?.hold({ dueInUs: 0, orderKey: 'line', onDue, onClose: () => {} })
    }
  })
  t.strictSame(gone, Array.from({ length: 3000 }, (_, i) => i))
  t.ok(Math.max(...inTurn.values()) <= 100, `at most ${Math.max(...inTurn.values())} in one turn`)
})

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'Immediate').length

t.test('a request that is held keeps the process alive, and one that gave up does not', async (t) => {
  const room = new DelayQueue(systemClock)
  const others = timers()
  const entry = { dueInUs: 3_600_000_000, orderKey: 'line', onDue: () => {}, onClose: () => {} }
  const ticket = room.reserve('queue', 'ip:a', LIMITS)?.hold(entry)
  t.equal(timers(), others + 1)
  ticket?.cancel()
  t.equal(timers(), others)
  room.reserve('queue', 'ip:a', LIMITS)?.hold(entry)
  room.close()
  t.equal(timers(), others)
})
