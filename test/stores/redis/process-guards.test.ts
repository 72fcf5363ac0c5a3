// Which replies and errors a guarded connection keeps from ioredis. test/regressions/null-reply-ends-the-process.test.ts has real servers.
import type { EventEmitter } from 'node:events'
import t from 'tap'
import { guardProcess, ignoreErrors } from '../../../lib/stores/redis/process-guards.js'
import { FakeCluster, FakeConnection, FakeStream } from '../../fixtures/fake-connection.js'

/** A connection that listens for replies. */
function createReading (): FakeConnection {
  const connection = new FakeConnection()
  connection.stream?.on('data', () => {})
  return connection
}

const takeStray = (connection: FakeConnection) => connection.commandQueue.shift()

/** Whether replies that no call asked for fail the connection. */
function isGuarded (connection: FakeConnection): boolean {
  takeStray(connection)
  return connection.calls.some(([method]) => method === 'recover')
}

t.test('after a reply that no call asked for, a connection fails once', async (t) => {
  const connection = createReading()
  guardProcess(connection.as())
  const item = takeStray(connection) as { readonly command: { name: string, args: unknown[], resolve: () => unknown, reject: () => unknown } }
  t.match(item.command, { name: '', args: [] })
  t.strictSame([item.command.args.length, item.command.resolve(), item.command.reject()], [0, undefined, undefined])
  const failure = { message: 'Protocol error, got a reply that no command asked for.', code: 'BAD_REPLY' }
  t.match(connection.calls, [['recover', failure, failure, { offlineQueue: false }]])
  t.equal(connection.calls[0][1], connection.calls[0][2])
  t.equal(takeStray(connection), item)
  t.equal(connection.calls.length, 1, 'the socket is about to be closed')
  connection.stream = new FakeStream().on('data', () => {})
  takeStray(connection)
  t.equal(connection.calls.length, 2, 'a new socket')
})

t.test('a reply that a call asked for is its own', async (t) => {
  const connection = createReading()
  guardProcess(connection.as())
  connection.commandQueue.push('a call')
  t.equal(takeStray(connection), 'a call')
  t.strictSame(connection.calls, [])
})

t.test('a queue is emptied where nothing listens for replies', async (t) => {
  for (const stream of [new FakeStream(), null, undefined]) {
    const connection = new FakeConnection()
    connection.stream = stream as FakeStream
    guardProcess(connection.as())
    t.equal(takeStray(connection), undefined)
    t.strictSame(connection.calls, [])
  }
})

t.test('a new queue is guarded too', async (t) => {
  const connection = createReading()
  guardProcess(connection.as())
  connection.resetCommandQueue()
  t.strictSame(connection.calls, [['reset']])
  t.ok(isGuarded(connection))
})

t.test('a connection is guarded once, however many registrations share it', async (t) => {
  const connection = createReading()
  guardProcess(connection.as())
  const { shift } = connection.commandQueue
  guardProcess(connection.as())
  t.equal(connection.commandQueue.shift, shift)
})

t.test('a connection without the parts that are needed stays as it is', async (t) => {
  for (const missing of ['commandQueue', 'resetCommandQueue', 'recoverFromFatalError', 'connector', 'duplicate']) {
    const connection = Object.defineProperty(createReading(), missing, { value: undefined, writable: true })
    const own = connection.commandQueue?.shift
    t.doesNotThrow(() => { guardProcess(connection.as())() }, missing)
    const isNeeded = missing !== 'connector' && missing !== 'duplicate'
    t.equal(connection.commandQueue?.shift === own, isNeeded, missing)
  }
  const { shift: _, ...others } = createReading().commandQueue
  t.doesNotThrow(() => { guardProcess(Object.assign(createReading(), { commandQueue: others }).as()) })
})

t.test('the connections that ioredis opens for its own use are guarded, until the end', async (t) => {
  const connection = createReading()
  const [sentinel, later] = [createReading(), createReading()]
  const connector = { connectToSentinel: (of: unknown) => of }
  Object.assign(connection, { connector, duplicate: (of: unknown) => of })
  const duplicate = (of: unknown) => (connection.duplicate as (of: unknown) => unknown)(of)
  const stop = guardProcess(connection.as())
  const copy = createReading()
  t.strictSame([duplicate(copy), connector.connectToSentinel(sentinel)], [copy, sentinel])
  t.strictSame([isGuarded(copy), isGuarded(sentinel)], [true, true])
  for (const nothing of [null, undefined, 'text']) t.doesNotThrow(() => { duplicate(nothing) })
  stop()
  duplicate(later)
  connector.connectToSentinel(later)
  t.notOk(isGuarded(later))
})

t.test('a second error of a socket is ignored after a first one, until the end', async (t) => {
  const connection = createReading()
  const stop = guardProcess(connection.as())
  t.equal(connection.stream?.listenerCount('error'), 0)
  connection.emit('error', new Error('first'))
  t.equal(connection.stream?.listenerCount('error'), 1)
  t.doesNotThrow(() => { connection.stream?.emit('error', new Error('second')) })
  stop()
  t.equal(connection.listenerCount('error'), 0)
  for (const stream of [null, undefined]) t.doesNotThrow(() => { ignoreErrors({ stream } as unknown as Parameters<typeof ignoreErrors>[0]) })
})

t.test('all nodes of a Cluster are guarded, and those that join, until the end', async (t) => {
  const [node, joined, late] = [createReading(), createReading(), createReading()]
  const cluster = new FakeCluster(node)
  const stop = guardProcess(cluster.asCluster())
  cluster.emit('+node', joined)
  t.strictSame([isGuarded(node), isGuarded(joined)], [true, true])
  t.strictSame([node, joined, cluster].map((client) => client.listenerCount('error')), [1, 1, 0])
  stop()
  t.strictSame([node, joined].map((client) => client.listenerCount('error')), [0, 0])
  t.equal((cluster as EventEmitter).emit('+node', late), false)
})
