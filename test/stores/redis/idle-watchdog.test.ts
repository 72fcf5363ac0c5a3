// When a connection counts as silent: a reply is pending, and three checks in a row nothing was received.
import { mock } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { IdleWatchdog } from '../../../lib/stores/redis/idle-watchdog.js'
import { FakeCluster, FakeConnection, FakeStream, stopTime } from '../../fixtures/fake-connection.js'

const IDLE_MS = 300
const CHECK_MS = 100

/** A connection that waits for so many replies. */
function createPending (replies = 1): FakeConnection & { readonly stream: FakeStream } {
  const connection = new FakeConnection()
  connection.commandQueue = Array.from({ length: replies })
  return connection as FakeConnection & { readonly stream: FakeStream }
}

function watch (t: Test, clients: readonly FakeConnection[], idleMs = IDLE_MS) {
  const pass = stopTime(t)
  const events: string[] = []
  const watchdog = new IdleWatchdog(clients.map((client) => client.as()), idleMs, (connection) => {
    events.push(`silent after ${String((connection as unknown as FakeConnection).calls.length)} calls`)
  })
  t.teardown(() => { watchdog.close() })
  return { watchdog, events, pass }
}

t.test('a connection is replaced at the third check without a byte, after its cause is known', async (t) => {
  const connection = createPending()
  const { watchdog, events, pass } = watch(t, [connection])
  watchdog.expectReply()
  await pass(CHECK_MS / 2)
  watchdog.expectReply()
  await pass(3.5 * CHECK_MS - 1)
  t.strictSame([connection.calls, events], [[], []])
  await pass(1)
  t.strictSame([connection.calls, events], [[['disconnect', true]], ['silent after 0 calls']])
  await pass(4 * CHECK_MS - 1)
  t.equal(connection.calls.length, 1, 'it has the same time again')
  await pass(1)
  t.equal(connection.calls.length, 2)
})

t.test('a check comes after a third of the time, and never earlier', async (t) => {
  const connection = createPending()
  const { watchdog, pass } = watch(t, [connection], 301)
  watchdog.expectReply()
  await pass(403)
  t.strictSame(connection.calls, [])
  await pass(1)
  t.equal(connection.calls.length, 1)
})

t.test('what was received, or another socket, starts the count again', async (t) => {
  for (const change of [
    (connection: FakeConnection & { readonly stream: FakeStream }) => { connection.stream.bytesRead++ },
    (connection: FakeConnection) => { connection.stream = new FakeStream() }
  ]) {
    await t.test(async (t) => {
      const connection = createPending()
      const { watchdog, pass } = watch(t, [connection])
      watchdog.expectReply()
      await pass(3 * CHECK_MS)
      change(connection)
      await pass(3 * CHECK_MS)
      t.strictSame(connection.calls, [])
      await pass(CHECK_MS)
      t.equal(connection.calls.length, 1)
    })
  }
})

t.test('a connection without a pending reply is not counted', async (t) => {
  const [connection, other] = [createPending(), createPending()]
  const { watchdog, pass } = watch(t, [connection, other])
  watchdog.expectReply()
  await pass(3 * CHECK_MS)
  connection.commandQueue = []
  other.stream.bytesRead++
  await pass(CHECK_MS)
  connection.commandQueue = [{}]
  await pass(3 * CHECK_MS)
  t.strictSame(connection.calls, [], 'its earlier checks do not count')
  await pass(CHECK_MS)
  t.equal(connection.calls.length, 1)
})

t.test('checks end when no reply is pending, until one is expected', async (t) => {
  const connection = createPending()
  const { watchdog, pass } = watch(t, [connection, createPending(0)])
  await pass(10 * CHECK_MS)
  t.strictSame(connection.calls, [], 'none is expected')
  watchdog.expectReply()
  await pass(2 * CHECK_MS)
  connection.commandQueue = []
  await pass(CHECK_MS)
  connection.commandQueue = [{}]
  await pass(10 * CHECK_MS)
  t.strictSame(connection.calls, [])
  watchdog.expectReply()
  await pass(4 * CHECK_MS)
  t.equal(connection.calls.length, 1)
})

t.test('once a socket is connected, the reply to the handshake is expected', async (t) => {
  const [single, node] = [createPending(), createPending()]
  const cluster = new FakeCluster()
  const { pass } = watch(t, [single, cluster])
  cluster.all.push(node)
  cluster.emit('connect')
  await pass(10 * CHECK_MS)
  t.strictSame([single.calls, node.calls], [[], []], 'a Cluster itself has no socket')
  cluster.emit('+node', node)
  node.emit('connect')
  await pass(4 * CHECK_MS)
  t.strictSame([single.calls, node.calls].map((calls) => calls.length), [1, 1])
  single.commandQueue = []
  node.commandQueue = []
  await pass(CHECK_MS)
  single.commandQueue = [{}]
  single.emit('connect')
  await pass(4 * CHECK_MS)
  t.equal(single.calls.length, 2)
})

t.test('nothing is checked after the end', async (t) => {
  const connection = createPending()
  const { watchdog, pass } = watch(t, [connection])
  watchdog.expectReply()
  await pass(CHECK_MS)
  watchdog.close()
  watchdog.expectReply()
  connection.emit('connect')
  await pass(10 * CHECK_MS)
  t.strictSame(connection.calls, [])
})

t.test('nor by a check that was due before it', async (t) => {
  const pass = stopTime(t)
  let reads = 0
  const connection = Object.defineProperty(createPending(), 'commandQueue', { get: () => { reads++; return [{}] } })
  const watchdog = new IdleWatchdog([connection.as()], IDLE_MS, () => {})
  watchdog.expectReply()
  await pass(CHECK_MS)
  t.equal(reads, 1)
  mock.timers.tick(CHECK_MS)
  watchdog.close()
  await nextTurn()
  t.equal(reads, 1)
})
