import { AsyncLocalStorage } from 'node:async_hooks'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { QueueLimits } from '../../lib/throttle/capacity.js'
import { DelayQueue, type DelayedRequest } from '../../lib/throttle/delay-queue.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const MS = 1000
const WIDE: QueueLimits = { maxQueued: 1000, maxQueuedPerClient: 100 }

/** A room over timers and a clock that stand still until they are told otherwise. */
function room (t: Test) {
  mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] })
  t.teardown(() => mock.timers.reset())
  const clock = new ManualClock()
  const room = new DelayQueue(clock)
  const events: string[] = []
  return {
    room,
    clock,
    /** What became of whom, in order. */
    events,
    entry (name: string, dueInMs: number, line = 'line'): DelayedRequest {
      return { dueInUs: dueInMs * MS, orderKey: line, onDue: () => { events.push(name) }, onClose: () => { events.push(`${name} closed`) } }
    },
    pass (ms: number) {
      for (let i = 0; i < ms; i++) {
        clock.advance(MS)
        mock.timers.tick(1)
      }
    },
    /** The loop turns, and no time passes. */
    turn () {
      mock.timers.tick(0)
    }
  }
}

function places (room: DelayQueue, times: number, partition: string, limits: QueueLimits) {
  return Array.from({ length: times }, () => room.reserve('queue', partition, limits)).filter((place) => place !== null)
}

t.test('a request is held until it is due, and not longer', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('a', 20))
  t.equal(waiting.size, 1)
  pass(19)
  t.strictSame(events, [])
  pass(1)
  t.strictSame(events, ['a'])
  t.equal(waiting.size, 0)
  pass(100)
  t.strictSame(events, ['a'])
})

t.test('requests leave by their times, and those of one time as they came', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  for (const [name, ms] of [['d', 30], ['b', 20], ['c', 20], ['a', 10], ['e', 30]] as const) {
    waiting.reserve('queue', name, WIDE)?.hold(entry(name, ms, name))
  }
  pass(10)
  t.strictSame(events, ['a'])
  pass(20)
  t.strictSame(events, ['a', 'b', 'c', 'd', 'e'])
})

t.test('of one line nobody overtakes, though his answer says that he may go sooner', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('first', 20, 'default ip:a'))
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('second', 15, 'default ip:a'))
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('of another line', 15, 'report ip:a'))
  pass(15)
  t.strictSame(events, ['of another line'])
  pass(5)
  t.strictSame(events, ['of another line', 'first', 'second'])
})

t.test('one who gave up holds nobody back who comes later, though others are still in line', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('a', 10))
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('gave up', 1000))?.cancel()
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('b', 20))
  pass(20)
  t.strictSame(events, ['a', 'b'])
})

t.test('a line that emptied holds nobody back', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('gave up', 1000))?.cancel()
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('a', 10))
  pass(10)
  t.strictSame(events, ['a'])
})

t.test('a timer that fires early releases no request early', async (t) => {
  const { room: waiting, clock, entry, events } = room(t)
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('a', 10))
  clock.advance(10 * MS - 1)
  mock.timers.tick(10)
  t.strictSame(events, [])
  clock.advance(1)
  mock.timers.tick(1)
  t.strictSame(events, ['a'])
})

t.test('a request that is due already leaves in the next turn, never from within the call', async (t) => {
  const { room: waiting, entry, turn, events } = room(t)
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('a', 0))
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('b', -5))
  t.strictSame(events, [])
  turn()
  t.strictSame(events, ['a', 'b'])
})

t.test('one who comes later and is due sooner does not wait for the timer of another', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('late', 50, 'a'))
  pass(10)
  waiting.reserve('queue', 'ip:b', WIDE)?.hold(entry('soon', 5, 'b'))
  pass(5)
  t.strictSame(events, ['soon'])
  pass(35)
  t.strictSame(events, ['soon', 'late'])
})

t.test('one timer serves everybody', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  const set = t.capture(globalThis, 'setTimeout', globalThis.setTimeout)
  for (let i = 0; i < 1000; i++) waiting.reserve('queue', `ip:${i}`, WIDE)?.hold(entry(String(i), 10 + i % 7, `line ${i}`))
  t.equal(set().length, 1)
  pass(20)
  t.equal(events.length, 1000)
  t.equal(set().length, 6, 'and then one for each time that is left')
})

t.test('a wait longer than a timer can be is still waited for', async (t) => {
  const { room: waiting, clock, entry, events } = room(t)
  const set = t.capture(globalThis, 'setTimeout', globalThis.setTimeout)
  const days = 30 * 86_400_000
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('a', days))
  const step = 2 ** 31 - 1
  clock.advance(step * MS)
  mock.timers.tick(step)
  t.strictSame(events, [])
  t.strictSame(set().map(({ args }) => args[1]), [step, days - step], 'by timers that Node.js does not cut short')
  clock.advance((days - step) * MS)
  mock.timers.tick(days - step)
  t.strictSame(events, ['a'])
})

t.test('no more than maxQueued wait, whoever they are', async (t) => {
  const { room: waiting, entry } = room(t)
  const limits = { maxQueued: 10, maxQueuedPerClient: 4 }
  const taken = ['ip:a', 'ip:b', 'ip:c', 'ip:d'].flatMap((partition) => places(waiting, 9, partition, limits))
  t.equal(taken.length, 10)
  for (const place of taken) place.hold(entry('a', 10))
  t.equal(waiting.size, 10)
  t.equal(waiting.reserve('queue', 'ip:e', limits), null)
})

t.test('a queue that is full leaves room in the others', async (t) => {
  const { room: waiting, entry, pass } = room(t)
  const limits = { maxQueued: 1, maxQueuedPerClient: 1 }
  waiting.reserve('default', 'ip:a', WIDE)?.hold(entry('a', 10))
  waiting.reserve('reports', 'ip:a', limits)?.hold(entry('b', 20))
  t.equal(waiting.reserve('reports', 'ip:a', limits), null)
  t.not(waiting.reserve('searches', 'ip:a', limits), null)
  pass(10)
  t.equal(waiting.reserve('reports', 'ip:a', limits), null, 'who left another queue freed no place in this one')
  pass(10)
  t.not(waiting.reserve('reports', 'ip:a', limits), null)
})

t.test('five hundred who ask at once see room for a hundred', async (t) => {
  const { room: waiting, entry, pass } = room(t)
  const taken = places(waiting, 500, 'ip:a', WIDE)
  t.equal(taken.length, 100)
  t.equal(waiting.size, 0, 'a place that is only reserved is no request that waits')
  t.not(waiting.reserve('queue', 'ip:b', WIDE), null, 'others have room')
  taken.pop()?.release()
  t.equal(places(waiting, 9, 'ip:a', WIDE).length, 1)
  taken.pop()?.hold(entry('a', 5))
  t.equal(waiting.reserve('queue', 'ip:a', WIDE), null)
  pass(5)
  t.equal(places(waiting, 9, 'ip:a', WIDE).length, 1, 'who left has freed his place')
})

t.test('a place is free before the request in it goes on', async (t) => {
  const { room: waiting, entry, turn } = room(t)
  const limits = { maxQueued: 1, maxQueuedPerClient: 1 }
  let next: unknown = null
  waiting.reserve('queue', 'ip:a', limits)?.hold({ ...entry('a', 0), onDue: () => { next = waiting.reserve('queue', 'ip:a', limits) } })
  turn()
  t.not(next, null)
})

t.test('a place can be used once or released once', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  const limits = { maxQueued: 2, maxQueuedPerClient: 2 }
  const [used, released] = places(waiting, 2, 'ip:a', limits)
  used.hold(entry('a', 5))
  t.equal(used.hold(entry('again', 5)), null)
  used.release()
  t.equal(waiting.size, 1)
  released.release()
  released.release()
  t.equal(released.hold(entry('after all', 5)), null)
  t.equal(places(waiting, 9, 'ip:a', limits).length, 1, 'nothing is freed twice')
  pass(5)
  t.strictSame(events, ['a'])
})

t.test('one who gives up frees his place at once, and is called no more', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  const limits = { maxQueued: 3, maxQueuedPerClient: 3 }
  const tickets = places(waiting, 3, 'ip:a', limits).map((place, i) => place.hold(entry('abc'[i], 10 + i)))
  t.equal(tickets[1]?.cancel(), true)
  t.equal(waiting.size, 2)
  t.equal(tickets[1]?.cancel(), false, 'and gives up once')
  t.equal(places(waiting, 9, 'ip:a', limits).length, 1)
  pass(20)
  t.strictSame(events, ['a', 'c'])
  t.equal(tickets[0]?.cancel(), false, 'who left cannot give up')
})

t.test('one who gives up while others leave in the same turn is not called', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  const second = { cancel: () => false }
  waiting.reserve('queue', 'ip:a', WIDE)?.hold({ ...entry('a', 5), onDue: () => { events.push(`a, and b gives up: ${second.cancel()}`) } })
  Object.assign(second, waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('b', 5)))
  pass(5)
  t.strictSame(events, ['a, and b gives up: true'])
})

t.test('one who throws strands nobody behind him', async (t) => {
  const { room: waiting, entry, pass, turn, events } = room(t)
  waiting.reserve('queue', 'ip:a', WIDE)?.hold({ ...entry('a', 5), onDue: () => { throw new Error('no') } })
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('b', 5))
  t.throws(() => pass(5), { message: 'no' })
  turn()
  t.strictSame(events, ['b'])
})

t.test('closing waits for nobody: all are told, in order and once', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  const tickets = [30, 10, 20].map((ms) => waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry(String(ms), ms, `line ${ms}`)))
  const reserved = waiting.reserve('queue', 'ip:a', WIDE)
  waiting.close()
  t.strictSame(events, ['10 closed', '20 closed', '30 closed'])
  t.equal(waiting.size, 0)
  t.equal(tickets[0]?.cancel(), false)
  t.equal(reserved?.hold(entry('late', 1)), null, 'a place that was reserved is no place any more')
  reserved?.release()
  t.equal(waiting.reserve('queue', 'ip:a', WIDE), null)
  waiting.close()
  pass(100)
  t.equal(events.length, 3)
})

t.test('one who is let go may close the room', async (t) => {
  const { room: waiting, entry, pass, events } = room(t)
  waiting.reserve('queue', 'ip:a', WIDE)?.hold({ ...entry('a', 5), onDue: () => { waiting.close() } })
  waiting.reserve('queue', 'ip:a', WIDE)?.hold(entry('b', 5))
  pass(10)
  t.strictSame(events, ['b closed'])
})

t.test('each request goes on in its own asynchronous context', async (t) => {
  const { room: waiting, pass, events } = room(t)
  const user = new AsyncLocalStorage<string>()
  const tell = () => { events.push(String(user.getStore())) }
  for (const [name, ms] of [['a', 5], ['b', 5], ['c', 50]] as const) {
    user.run(name, () => waiting.reserve('queue', 'ip:a', WIDE)?.hold({ dueInUs: ms * MS, orderKey: 'line', onDue: tell, onClose: tell }))
  }
  pass(10)
  user.run('whoever closes', () => waiting.close())
  t.strictSame(events, ['a', 'b', 'c'])
})
