// How a pool is closed, and when it replaces a connection that is silent.
import t from 'tap'
import { FakeCluster, FakeConnection } from '../../fixtures/fake-connection.js'
import { createConnection, createPool, REPLACED_MS } from '../../fixtures/pool-in-time.js'

const FAILED_SELECT = Object.assign(new Error('ERR DB index is out of range'), { name: 'ReplyError', command: { name: 'select' } })
const RECONNECT = ['disconnect', true]

t.test('at the end owned clients are closed, and errors of their sockets ignored', async (t) => {
  const [client, node] = [new FakeConnection(), new FakeConnection()]
  const cluster = new FakeCluster(node)
  const { pool, events } = createPool(t, [client, cluster])
  await pool.close()
  t.strictSame([client.calls, cluster.calls, node.calls], [[['disconnect']], [['disconnect']], []])
  for (const { stream } of [client, node]) t.equal(stream?.listenerCount('error'), 1)
  t.equal(cluster.roles.at(-1), 'all')
  for (const event of ['ready', 'close', 'end']) client.emit(event)
  t.strictSame(events, [])
  client.emit('error', FAILED_SELECT)
  t.strictSame(client.calls, [['disconnect']])
})

t.test('at the end a client of the application is as it was', async (t) => {
  const [client, node] = [createConnection('ready'), new FakeConnection()]
  const cluster = new FakeCluster(node)
  const { pool, events } = createPool(t, [client, cluster], false)
  t.ok(client.eventNames().length > 0)
  await pool.close()
  for (const one of [client, cluster, node]) t.strictSame([one.eventNames(), one.calls, one.stream?.listenerCount('error')], [[], [], 0])
  t.strictSame(events, [])
})

t.test('a silent connection is replaced, and why is known', async (t) => {
  const client = new FakeConnection()
  const { pool, pass } = createPool(t, [client])
  client.commandQueue = [{}]
  await pass(2 * REPLACED_MS)
  t.strictSame(client.calls, [], 'nothing was sent')
  await pool.ping()
  await pass(REPLACED_MS)
  t.strictSame(client.calls, [['ping'], RECONNECT])
  client.status = 'reconnecting'
  client.emit('close')
  t.equal(pool.cause, 'DEADLINE')
})

t.test('a call of a script expects a reply too, until the end', async (t) => {
  for (const isClosed of [false, true]) {
    await t.test(async (t) => {
      const client = new FakeConnection()
      const { pool, pass } = createPool(t, [client])
      client.commandQueue = [{}]
      await pool.evalScript({ lua: 'return 1', sha: 'a hash' }, ['key'], [])
      if (isClosed) await pool.close()
      await pass(REPLACED_MS)
      t.strictSame(client.calls.at(-1), isClosed ? ['disconnect'] : RECONNECT)
    })
  }
})

t.test('a silent client of the application is left alone', async (t) => {
  const client = new FakeConnection()
  const { pool, pass } = createPool(t, [client], false)
  client.commandQueue = [{}]
  await pool.ping()
  await pool.evalScript({ lua: 'return 1', sha: 'a hash' }, ['key'], [])
  await pass(2 * REPLACED_MS)
  t.strictSame(client.calls.map(([name]) => name), ['ping', 'evalsha'])
})
