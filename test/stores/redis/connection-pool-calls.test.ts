// Which client of a pool sends a call, and what is said of a call that failed.
import t from 'tap'
import { ConnectionPool } from '../../../lib/stores/redis/connections.js'
import { FakeCluster, FakeConnection } from '../../fixtures/fake-connection.js'

const SCRIPT = { lua: 'return 1', sha: 'a hash' }
const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })
const withCode = (code: string) => Object.assign(new Error('failed'), { code })

function createPool (clients: readonly FakeConnection[], isOwned = true): ConnectionPool {
  return new ConnectionPool(clients.map((client) => client.as()), isOwned, { onReady () {} }, 1_000_000)
}

const createConnection = (status: string, options: Record<string, unknown> = {}) => Object.assign(new FakeConnection(), { status, options })
const createCluster = (...statuses: readonly string[]) => new FakeCluster(...statuses.map((status) => createConnection(status)))

t.test('connections take turns, and one that is not ready is left out', async (t) => {
  const clients = ['ready', 'ready', 'connecting'].map((status) => createConnection(status))
  const pool = createPool(clients)
  for (const counts of [[1, 0, 0], [1, 1, 0], [2, 1, 0], [2, 2, 0]]) {
    t.ok(pool.isReady)
    await pool.ping()
    t.strictSame(clients.map(({ calls }) => calls.length), counts)
  }
  t.strictSame(clients[0].calls[0], ['ping'])
})

t.test('nothing is sent where no connection is ready', async (t) => {
  const client = createConnection('connecting')
  const pool = createPool([client])
  await t.rejects(pool.ping(), { message: 'no connection is ready' })
  await t.rejects(pool.evalScript(SCRIPT, ['key'], []), { message: 'no connection is ready' })
  t.strictSame(client.calls, [])
})

t.test('a script is called by its hash, and sent to a server that does not know it', async (t) => {
  const client = new FakeConnection()
  client.options.keyPrefix = 'app:'
  const pool = createPool([client])
  client.reply = async () => 'an answer'
  t.equal(await pool.evalScript(SCRIPT, ['one', 'two'], [Buffer.from('3')]), 'an answer')
  t.strictSame(client.calls, [['evalsha', 'a hash', '2', 'app:one', 'app:two', Buffer.from('3')]])
  client.calls.length = 0
  client.reply = async ({ name }) => { if (name === 'evalsha') throw reply('NOSCRIPT no'); return 'an answer' }
  t.equal(await pool.evalScript(SCRIPT, ['one', 'two'], [Buffer.from('3')]), 'an answer')
  t.strictSame(client.calls.map(([name]) => name), ['evalsha', 'eval'])
  t.strictSame(client.calls[1], ['eval', 'return 1', '2', 'app:one', 'app:two', Buffer.from('3')])
})

t.test('any other failure of a script is its own', async (t) => {
  const client = new FakeConnection()
  const pool = createPool([client])
  for (const failure of [reply('OOM no'), new Error('it is NOSCRIPT'), 'NOSCRIPT', Object.assign({}, { message: 'NOSCRIPT' })]) {
    client.calls.length = 0
    client.reply = async () => { throw failure }
    await pool.evalScript(SCRIPT, ['key'], []).then(() => { t.fail('it is answered') }, (error) => { t.equal(error, failure) })
    t.equal(client.calls.length, 1)
  }
})

t.test('what is sent at once is one write to each primary', async (t) => {
  const [client, broken] = [new FakeConnection(), new FakeConnection()]
  const cluster = createCluster('ready')
  broken.stream = null
  const pool = createPool([client, broken, cluster])
  const { stream } = client
  const corks = () => [stream?.corks, cluster.all[0].stream?.corks]
  pool.cork(() => {
    t.strictSame([corks(), cluster.roles.at(-1)], [[1, 1], 'master'])
    client.stream = null
  })
  t.strictSame(corks(), [0, 0], 'the same streams')
  t.throws(() => { pool.cork(() => { throw new Error('of the call') }) }, { message: 'of the call' })
  t.strictSame(corks(), [0, 0])
})

t.test('the keys of a call must be in one slot on a Cluster, and where it is found out', async (t) => {
  t.strictSame([createPool([createCluster()]).hasSlots, createPool([new FakeConnection()]).hasSlots], [true, false])
  t.equal(createPool([createCluster()]).separateSlots(), false)
  const pool = createPool([new FakeConnection()])
  t.strictSame([pool.separateSlots(), pool.hasSlots, pool.separateSlots(), pool.hasSlots], [true, true, false, true])
})

t.test('one client that sends a call again is enough to send it twice', async (t) => {
  const never = { maxRetriesPerRequest: 0 }
  for (const [options, expected] of [[[never, {}], true], [[never, never], false]] as const) {
    t.equal(createPool(options.map((each) => createConnection('ready', each))).maySendTwice, expected)
  }
})

t.test('a call that failed with its connection failed for the cause of that', async (t) => {
  const client = createConnection('connecting')
  const pool = createPool([client])
  t.equal(pool.explainError(null), 'CONNECTION')
  client.emit('error', withCode('ECONNREFUSED'))
  const errors: unknown[] = [null, reply('OOM no'), withCode('ETIMEDOUT')]
  t.strictSame(errors.map((error) => pool.explainError(error)), ['ECONNREFUSED', 'OOM', 'ETIMEDOUT'])
})

for (const [why, create, expected] of [
  ['that is ready', () => createConnection('ready'), 'DEADLINE'],
  ['that is being opened', () => createConnection('connecting'), 'DEADLINE'],
  ['whose handshake is pending', () => createConnection('connect'), 'DEADLINE'],
  ['that is closed', () => createConnection('reconnecting'), 'CONNECTION'],
  ['of a Cluster whose nodes are ready, or without calls', () => createCluster('ready', 'wait'), 'DEADLINE'],
  ['of a Cluster with a node that is not ready', () => createCluster('ready', 'connecting'), 'DEADLINE']
] as const) {
  t.test(`a call without an answer, over a connection ${why}, is ${expected}, or what is known`, async (t) => {
    const client = create()
    const pool = createPool([client])
    t.equal(pool.explainDeadline(), expected)
    client.emit('error', withCode('ECONNREFUSED'))
    const isMissing = client.status !== 'ready' || why.includes('not ready')
    t.equal(pool.explainDeadline(), isMissing ? 'ECONNREFUSED' : 'DEADLINE')
    if (client instanceof FakeCluster) t.equal(client.roles.at(-1), 'master')
  })
}

t.test('of several connections, one that may answer is enough for a deadline', async (t) => {
  t.equal(createPool([createConnection('reconnecting'), createConnection('connecting')]).explainDeadline(), 'DEADLINE')
  const first = createConnection('end')
  t.equal(createPool([first, createConnection('end')]).explainDeadline(), 'CONNECTION')
  const cluster = createCluster('connecting')
  const pool = createPool([new FakeConnection(), cluster])
  t.equal(pool.explainDeadline(), 'DEADLINE', 'no cause is known')
  cluster.emit('error', withCode('ECONNREFUSED'))
  t.equal(pool.explainDeadline(), 'ECONNREFUSED')
})

const mayReconnect = { reconnectOnError: () => true }

for (const [code, create, isOwned, expected] of [
  ['MOVED', () => createConnection('ready'), true, 'MOVED: this is a Cluster, use { cluster }'],
  ['MOVED', () => createCluster(), true, 'MOVED'],
  ['OOM', () => createConnection('ready'), true, 'OOM'],
  ['OOM', () => createConnection('ready'), false, 'OOM'],
  ['READONLY', () => createConnection('ready'), true, 'READONLY'],
  ['READONLY', () => createConnection('ready', mayReconnect), false, 'READONLY'],
  ['READONLY', () => createCluster(), false, 'READONLY'],
  ['READONLY', () => createConnection('ready'), false, 'READONLY: use limiterClientOptions() for the client']
] as const) {
  t.test(`${code} of ${isOwned ? 'our' : 'an own'} client is ${expected}`, async (t) => {
    t.equal(createPool([create()], isOwned).formatCode(code), expected)
  })
}

t.test('connections to a server that became a replica are replaced, once', async (t) => {
  const clients = [createConnection('ready'), createConnection('connecting'), createCluster('ready')]
  const pool = createPool(clients)
  pool.reconnect('READONLY')
  pool.reconnect('READONLY')
  t.strictSame(clients.map(({ calls }) => calls), [[['disconnect', true]], [], []])
  clients[0].status = 'reconnecting'
  clients[2].status = 'connecting'
  clients[0].emit('close')
  t.equal(pool.cause, 'READONLY')
})

t.test('a client of the application connects again if it says so', async (t) => {
  for (const [options, expected] of [[{}, 0], [mayReconnect, 1]] as const) {
    const client = createConnection('ready', options)
    createPool([client], false).reconnect('READONLY')
    t.equal(client.calls.length, expected)
  }
})

t.test('nothing is replaced after the end', async (t) => {
  const client = createConnection('ready')
  const pool = createPool([client])
  await pool.close()
  pool.reconnect('READONLY')
  t.strictSame(client.calls, [['disconnect']])
})
