// Why connections fail, by the events of a client as ioredis emits them. test/integration/causes.test.ts has real servers.
import { EventEmitter } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { Cluster, Redis } from 'ioredis'
import { FailureCauses } from '../../../lib/stores/redis/failure-causes.js'

const withCode = (code: string) => Object.assign(new Error('failed'), { code })
const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })

class FakeSocket extends EventEmitter {
  connecting = true
  corks = 0
  cork (): void { this.corks++ }
  uncork (): void { this.corks-- }
}

class FakeConnection extends EventEmitter {
  readonly connector: { connect: () => Promise<unknown>, connectToSentinel?: () => EventEmitter }
  /** What the server replies to INFO. */
  reply = ''

  constructor (connect: () => Promise<unknown> = async () => new FakeSocket()) {
    super()
    this.connector = { connect }
  }

  async info (): Promise<string> { return this.reply }
  duplicate (): FakeConnection { return new FakeConnection(this.connector.connect) }
}

class FakeCluster extends EventEmitter {
  readonly all: FakeConnection[] = []
  reply: () => string = () => ''
  failure: Error | null = null
  nodes (): FakeConnection[] { return this.all }
  async connect (): Promise<void> { if (this.failure !== null) throw this.failure }
  async cluster (): Promise<string> { return this.reply() }
}

function watch<One extends FakeConnection | FakeCluster> (client: One) {
  const unreachable: string[] = []
  const causes = new FailureCauses((code) => { unreachable.push(code) })
  causes.watch(client as unknown as Redis | Cluster)
  return { client, causes, unreachable }
}

async function settle (): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve()
}

t.test('a connection that closes is unreachable for the cause of its first error', async (t) => {
  const { client, causes, unreachable } = watch(new FakeConnection())
  t.equal(causes.code, null)
  client.emit('connecting')
  client.emit('error', withCode('ECONNREFUSED'))
  client.emit('error', reply('NOAUTH later in the handshake'))
  t.equal(causes.code, 'ECONNREFUSED')
  client.emit('close')
  t.strictSame(unreachable, ['ECONNREFUSED'])
  client.emit('connecting')
  client.emit('error', reply('WRONGPASS no'))
  client.emit('close')
  t.strictSame([unreachable, causes.code], [['ECONNREFUSED', 'WRONGPASS'], 'WRONGPASS'])
})

t.test('a connection that closes in silence has broken', async (t) => {
  const { client, causes, unreachable } = watch(new FakeConnection())
  client.emit('close')
  t.strictSame([unreachable, causes.code], [['CONNECTION'], 'CONNECTION'])
})

t.test('a code that says little replaces one of an earlier attempt, and none of this one', async (t) => {
  for (const [event, expected] of [['connecting', 'ECONNRESET'], ['connect', 'CONNECTION'], [null, 'LOADING']] as const) {
    const { client, causes } = watch(new FakeConnection())
    client.emit('error', reply('LOADING data'))
    if (event !== null) client.emit(event)
    if (event === 'connecting') client.emit('error', withCode('ECONNRESET'))
    else causes.note(new FakeConnection() as unknown as Redis, 'CONNECTION')
    t.equal(causes.code, expected)
  }
})

t.test('a connection that is ready has no cause, unless its handshake failed', async (t) => {
  const { client, causes } = watch(new FakeConnection())
  client.emit('connecting')
  client.emit('error', withCode('ECONNREFUSED'))
  client.emit('ready')
  t.equal(causes.code, 'ECONNREFUSED', 'it is about to be closed')
  client.emit('connecting')
  client.emit('ready')
  t.equal(causes.code, null)
})

t.test('what is noted before a connection is closed is its cause', async (t) => {
  const { client, causes, unreachable } = watch(new FakeConnection())
  causes.note(client as unknown as Redis, 'DEADLINE')
  client.emit('close')
  t.strictSame(unreachable, ['DEADLINE'])
})

t.test('a server that loads its data says so in a reply', async (t) => {
  for (const [text, expected] of [['role:master\nloading:1\n', 'LOADING'], ['loading:0', null], ['async_loading:1', null]] as const) {
    const { client, causes } = watch(new FakeConnection())
    client.reply = text
    t.equal(await client.info(), text)
    await settle()
    t.equal(causes.code, expected)
  }
})

/** A connection whose socket is opened, and the events of it until the server closes it. */
async function openSocket (socket: FakeSocket, event: string, ...chunks: readonly string[]) {
  const { client, causes, unreachable } = watch(new FakeConnection(async () => socket))
  client.emit('connecting')
  await client.connector.connect()
  await settle()
  const { corks } = socket
  socket.emit(event)
  const corked = socket.corks - corks
  await nextTurn()
  await nextTurn()
  for (const chunk of chunks) socket.emit('data', Buffer.from(chunk))
  client.emit('close')
  return { code: causes.code, unreachable, corked, corks: socket.corks }
}

t.test('the first reply of a server that refuses a connection is the cause', async (t) => {
  t.match(await openSocket(new FakeSocket(), 'connect', '-ERR max number of clients reached\r\n'), { code: 'MAXCLIENTS', unreachable: ['MAXCLIENTS'], corked: 1, corks: 0 })
  t.match(await openSocket(new FakeSocket(), 'connect', '-DENIED Redis is running in protected mode'), { code: 'DENIED' })
  t.match(await openSocket(new FakeSocket(), 'connect', '-NOAUTH no'), { code: 'CONNECTION' })
  t.match(await openSocket(new FakeSocket(), 'connect', '+OK', '-DENIED'), { code: 'CONNECTION' }, 'a later one is not')
  t.match(await openSocket(new FakeSocket(), 'connect'), { code: 'CONNECTION' })
})

t.test('with TLS the reply comes after the handshake of the socket', async (t) => {
  const secure = () => Object.assign(new FakeSocket(), { encrypted: true })
  t.match(await openSocket(secure(), 'secureConnect', '-DENIED no'), { code: 'DENIED', corked: 1, corks: 0 })
  t.match(await openSocket(secure(), 'connect', '-DENIED no'), { code: 'CONNECTION', corked: 0 })
})

t.test('a socket that is open already is left alone', async (t) => {
  t.match(await openSocket(Object.assign(new FakeSocket(), { connecting: false }), 'connect', '-DENIED no'), { code: 'CONNECTION', corked: 0 })
})

t.test('a refusal holds for its own attempt', async (t) => {
  const socket = new FakeSocket()
  const { client, causes } = watch(new FakeConnection(async () => socket))
  await client.connector.connect()
  await settle()
  socket.emit('connect')
  socket.emit('data', Buffer.from('-DENIED no'))
  client.emit('error', withCode('EPIPE'))
  t.equal(causes.code, 'DENIED')
  client.emit('connecting')
  client.emit('error', withCode('EPIPE'))
  t.equal(causes.code, 'EPIPE')
})

t.test('a socket that could not be opened rejects for the client alone', async (t) => {
  const { client } = watch(new FakeConnection(async () => { throw withCode('ECONNREFUSED') }))
  await t.rejects(client.connector.connect(), { code: 'ECONNREFUSED' })
})

function watchSentinels () {
  const client = new FakeConnection()
  const sentinel = new EventEmitter()
  client.connector.connectToSentinel = () => sentinel
  return { ...watch(client), sentinel }
}

const SUMMARY = new Error('All sentinels are unreachable and retry is disabled. Last error: any')

t.test('sentinels have codes of their own', async (t) => {
  const { client, causes, unreachable, sentinel } = watchSentinels()
  t.equal(client.connector.connectToSentinel?.(), sentinel)
  sentinel.emit('error', reply('NOAUTH no'))
  t.equal(causes.code, 'SENTINEL_NOAUTH')
  client.emit('error', SUMMARY)
  t.strictSame([unreachable, causes.code], [['SENTINEL_NOAUTH'], 'SENTINEL_NOAUTH'], 'the summary says nothing of its own')
  client.emit('error', withCode('ECONNREFUSED'))
  t.strictSame([unreachable.length, causes.code], [1, 'ECONNREFUSED'])
})

for (const [text, expected] of [
  ['Sentinel 1 got an invalid reply', 'SENTINEL_UNKNOWN_NAME'],
  ['ERR No such master with that name', 'SENTINEL_UNKNOWN_NAME'],
  ['failed to connect because Command timed out', 'SENTINEL_DEADLINE'],
  ['failed to connect because NOPERM this user', 'SENTINEL_NOPERM'],
  ['failed to connect because ERR any', 'SENTINEL_CONNECTION'],
  ['failed to connect because of NOPERM', 'SENTINEL_CONNECTION'],
  ['failed', 'SENTINEL_CONNECTION']
] as const) {
  t.test(`the text "${text}" of a sentinel is ${expected}`, async (t) => {
    const { client, causes } = watchSentinels()
    client.emit('sentinelError', new Error(text))
    t.equal(causes.code, expected)
  })
}

t.test('a text of a sentinel without a cause replaces no known one', async (t) => {
  const { client, causes, sentinel } = watchSentinels()
  client.connector.connectToSentinel?.()
  sentinel.emit('error', reply('NOAUTH no'))
  client.emit('sentinelError', new Error('failed'))
  t.equal(causes.code, 'SENTINEL_NOAUTH')
  client.emit('sentinelError', new Error('failed because Command timed out'))
  t.equal(causes.code, 'SENTINEL_DEADLINE')
  client.emit('connect')
  client.emit('sentinelError', new Error('failed'))
  t.equal(causes.code, 'SENTINEL_CONNECTION')
})

t.test('a client without sentinels has no summary of them', async (t) => {
  const { client, causes, unreachable } = watch(new FakeConnection())
  client.emit('error', SUMMARY)
  t.strictSame([causes.code, unreachable], [null, []])
})

function watchCluster (...nodes: readonly FakeConnection[]) {
  const cluster = new FakeCluster()
  cluster.all.push(...nodes)
  return watch(cluster)
}

t.test('errors of a Cluster and of its nodes are causes', async (t) => {
  const node = new FakeConnection()
  const { client, causes, unreachable } = watchCluster(node)
  node.emit('error', withCode('ETIMEDOUT'))
  t.equal(causes.code, 'ETIMEDOUT')
  client.emit('close')
  t.strictSame(unreachable, ['ETIMEDOUT'])
  client.emit('node error', reply('WRONGPASS no'))
  t.equal(causes.code, 'WRONGPASS')
  client.emit('error', withCode('ECONNRESET'))
  t.equal(causes.code, 'WRONGPASS', 'which says less')
  client.emit('connecting')
  client.emit('error', withCode('ECONNRESET'))
  t.equal(causes.code, 'ECONNRESET')
  client.emit('ready')
  t.equal(causes.code, null)
})

t.test('a Cluster that closes in silence has broken', async (t) => {
  const { client, causes, unreachable } = watchCluster()
  client.emit('close')
  t.strictSame([unreachable, causes.code], [['CONNECTION'], null])
})

t.test('a node that joins later is watched, and no longer once it has left', async (t) => {
  const { client, causes } = watchCluster()
  const [joined, left] = [new FakeConnection(), new FakeConnection()]
  for (const node of [joined, left]) client.emit('+node', node)
  client.emit('-node', left)
  joined.emit('error', withCode('EHOSTUNREACH'))
  t.equal(causes.code, 'EHOSTUNREACH')
  causes.close()
  t.strictSame([joined.eventNames(), left.eventNames().length > 0, client.eventNames()], [[], true, []], 'who left is for the collector')
})

t.test('a Cluster without nodes is down, as is one that says so', async (t) => {
  const { client, causes } = watchCluster()
  client.emit('refresh')
  t.equal(causes.code, 'CLUSTERDOWN')
  for (const [text, expected] of [['a\ncluster_state:fail\n', 'CLUSTERDOWN'], ['cluster_state:ok', null], ['no cluster_state:fail', null]] as const) {
    const saying = watchCluster(new FakeConnection())
    saying.client.emit('refresh')
    t.equal(saying.causes.code, null)
    saying.client.reply = () => text
    await saying.client.cluster()
    await settle()
    t.equal(saying.causes.code, expected)
  }
})

t.test('a Cluster that cannot connect, or be asked, says why', async (t) => {
  const { client, causes } = watchCluster()
  client.failure = withCode('ENOTFOUND')
  await t.rejects(client.connect(), { code: 'ENOTFOUND' })
  await settle()
  t.equal(causes.code, 'ENOTFOUND')
  client.reply = () => { throw reply('NOPERM no') }
  await t.rejects(client.cluster())
  await settle()
  t.equal(causes.code, 'NOPERM')
})

t.test('a connection that a Cluster opens to read its slots is watched', async (t) => {
  const socket = new FakeSocket()
  const node = new FakeConnection(async () => socket)
  const { causes } = watchCluster(node)
  const copy = node.duplicate()
  copy.emit('close')
  t.equal(causes.code, null, 'it closes after each query')
  await copy.connector.connect()
  await settle()
  socket.emit('connect')
  socket.emit('data', Buffer.from('-DENIED no'))
  copy.emit('close')
  t.equal(causes.code, 'DENIED')
  const other = node.duplicate()
  other.emit('error', reply('NOAUTH no'))
  t.equal(causes.code, 'NOAUTH')
})

t.test('at the end nothing is watched', async (t) => {
  const node = new FakeConnection()
  const [single, cluster] = [watch(new FakeConnection()), watchCluster(node)]
  const sentinels = watchSentinels()
  for (const { causes } of [single, cluster, sentinels]) causes.close()
  t.strictSame([single.client, cluster.client, sentinels.client, node].map((client) => client.eventNames()), [[], [], [], []])
  single.client.reply = 'loading:1'
  await single.client.info()
  await settle()
  t.equal(single.causes.code, null)
})
