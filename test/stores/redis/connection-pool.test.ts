// Which connections of a pool are used, opened and closed, by the events of clients. test/integration/failures has real servers.
import t from 'tap'
import { ConnectionPool } from '../../../lib/stores/redis/connections.js'
import { FakeCluster, FakeConnection } from '../../fixtures/fake-connection.js'
import { createConnection, createPool } from '../../fixtures/pool-in-time.js'

/** Of the delays before an attempt to connect, all are the shortest. */
const RESTART_MS = 50

const BAD_REPLY = Object.assign(new Error('out of step'), { code: 'BAD_REPLY' })
const FAILED_SELECT = Object.assign(new Error('ERR DB index is out of range'), { name: 'ReplyError', command: { name: 'select' } })
const REFUSED = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })

const RECONNECT = ['disconnect', true]

t.test('each connection that becomes ready is reported', async (t) => {
  const [first, second] = [createConnection('connecting'), createConnection('connecting')]
  const { pool, events } = createPool(t, [first, second])
  t.strictSame([pool.isReady, pool.isConnecting], [false, true])
  second.status = 'ready'
  second.emit('ready')
  t.strictSame([pool.isReady, pool.isConnecting, events], [true, false, ['ready']])
  first.status = 'ready'
  first.emit('ready')
  t.strictSame(events, ['ready', 'ready'])
})

for (const [statuses, expected] of [
  [['connecting', 'connect'], true],
  [['connect'], true],
  [['connecting', 'reconnecting'], false],
  [['ready'], false],
  [['end'], false]
] as const) {
  t.test(`connections that are ${statuses.join(' and ')} ${expected ? 'are' : 'are not'} being opened`, async (t) => {
    const { pool } = createPool(t, statuses.map((status) => createConnection(status)))
    t.equal(pool.isConnecting, expected)
  })
}

t.test('the first attempt that fails is reported, and no other', async (t) => {
  const client = createConnection('connecting')
  const { events } = createPool(t, [client])
  client.emit('error', REFUSED)
  client.emit('close')
  client.emit('close')
  t.strictSame(events, ['ECONNREFUSED'])
  const ready = new FakeConnection()
  const later = createPool(t, [ready])
  ready.emit('ready')
  ready.emit('close')
  t.strictSame(later.events, ['ready'], 'nor one after a connection was ready')
})

t.test('a failure need not be listened for', async (t) => {
  const client = createConnection('connecting')
  const pool = new ConnectionPool([client.as()], false, { onReady () {} }, 300)
  t.doesNotThrow(() => client.emit('close'))
  await pool.close()
})

t.test('the cause is known until a connection is ready', async (t) => {
  const client = createConnection('connecting')
  const { pool } = createPool(t, [client])
  t.equal(pool.cause, null)
  client.emit('error', REFUSED)
  t.equal(pool.cause, 'ECONNREFUSED')
  client.status = 'ready'
  t.equal(pool.cause, null)
})

t.test('a connection after a bad reply is not used until it was closed', async (t) => {
  const client = new FakeConnection()
  const { pool } = createPool(t, [client])
  client.emit('error', new Error('another'))
  t.ok(pool.isReady)
  client.emit('error', BAD_REPLY)
  t.notOk(pool.isReady)
  client.emit('close')
  t.ok(pool.isReady)
})

t.test('an owned connection in a wrong database is replaced', async (t) => {
  const client = createConnection('connect')
  const { pool, events } = createPool(t, [client])
  client.emit('error', FAILED_SELECT)
  t.strictSame(client.calls, [RECONNECT])
  client.status = 'ready'
  client.emit('ready')
  t.strictSame([pool.isReady, pool.cause, events], [false, 'SELECT', []])
  client.emit('close')
  client.emit('ready')
  t.strictSame([pool.isReady, events], [true, ['SELECT', 'ready']])
})

t.test('a client of the application in a wrong database stays as it is, and is not used', async (t) => {
  const client = createConnection('ready')
  const { pool, events } = createPool(t, [client], false)
  client.emit('error', FAILED_SELECT)
  t.strictSame([client.calls, pool.isReady, pool.cause, events], [[], false, 'SELECT', ['SELECT']])
})

t.test('a client of the application that had failed before is asked', async (t) => {
  const client = createConnection('ready')
  client.condition = { select: 3 }
  client.reply = async () => { throw FAILED_SELECT }
  const { pool, events, pass } = createPool(t, [client], false)
  await pass(1)
  t.strictSame([client.calls, pool.isReady, pool.cause, events], [[['select', '3']], false, 'SELECT', ['SELECT']])
})

t.test('the database of a Cluster is not watched', async (t) => {
  const cluster = new FakeCluster()
  const { pool } = createPool(t, [cluster])
  cluster.emit('error', FAILED_SELECT)
  t.strictSame([cluster.calls, pool.isReady], [[], true])
})

t.test('clients that wait are connected at the start', async (t) => {
  const clients = ['wait', 'ready', 'wait'].map((status) => createConnection(status))
  const { pool, pass } = createPool(t, clients)
  t.strictSame(clients.flatMap(({ calls }) => calls), [])
  pool.start()
  t.strictSame(clients.map(({ calls }) => calls), [[['connect']], [], [['connect']]])
  await pass(1)
})

t.test('a lazy client is connected once it is asked for, unless another one is ready', async (t) => {
  const [lazy, ready] = [createConnection('wait'), createConnection('ready')]
  const { pool, pass } = createPool(t, [lazy, ready])
  t.ok(pool.isReady)
  t.strictSame(lazy.calls, [])
  ready.status = 'connecting'
  t.notOk(pool.isReady)
  t.strictSame([lazy.calls, ready.calls], [[['connect']], []])
  await pass(1)
  await pool.close()
  t.notOk(pool.isReady)
  t.strictSame(lazy.calls, [['connect'], ['disconnect']], 'nor after the end')
})

for (const [isOwned, statuses, expected] of [
  [false, ['end', 'end'], true],
  [false, ['end', 'ready'], false],
  [true, ['end'], false]
] as const) {
  const whose = isOwned ? 'owned clients' : 'clients of the application'
  t.test(`${whose} that are ${statuses.join(' and ')} ${expected ? 'have' : 'have not'} ended`, async (t) => {
    const clients = statuses.map((status) => createConnection(status))
    const { pool, events } = createPool(t, clients, isOwned)
    t.equal(pool.isEnded, expected)
    clients[0].emit('end')
    t.strictSame(events, ['ready'], 'calls that wait fail then')
  })
}

t.test('an owned client that has ended is connected again, with a delay that grows', async (t) => {
  const client = createConnection('end')
  const { events, pass } = createPool(t, [client])
  for (const delayMs of [RESTART_MS, 2 * RESTART_MS, 4 * RESTART_MS]) {
    const { length } = client.calls
    client.emit('end')
    await pass(delayMs - 1)
    t.equal(client.calls.length, length)
    await pass(1)
    t.equal(client.calls.length, length + 1)
  }
  client.status = 'ready'
  client.emit('ready')
  client.emit('end')
  await pass(RESTART_MS)
  t.strictSame(client.calls, Array.from({ length: 4 }, () => ['connect']))
  t.equal(events.at(-1), 'ready')
})

t.test('it is connected once, however often it ends, and not after the end', async (t) => {
  const client = createConnection('end')
  const { pool, pass } = createPool(t, [client])
  client.emit('end')
  client.emit('end')
  await pass(4 * RESTART_MS)
  t.strictSame(client.calls, [['connect']])
  client.emit('end')
  await pool.close()
  client.emit('end')
  await pass(100 * RESTART_MS)
  t.strictSame(client.calls, [['connect'], ['disconnect']])
})

t.test('a client of the application is not connected again', async (t) => {
  const client = createConnection('end')
  const { pass } = createPool(t, [client], false)
  client.emit('end')
  await pass(100 * RESTART_MS)
  t.strictSame(client.calls, [])
})
