// When a connection reads its credentials, and authenticates again. test/integration/failures has real servers.
import t, { type Test } from 'tap'
import { Authenticator } from '../../../lib/stores/redis/authenticator.js'
import type { CredentialOptions } from '../../../lib/stores/redis/credentials.js'
import { FakeConnection, settle, stopTime } from '../../fixtures/fake-connection.js'

const RETRY_MS = 5000

function createAuthenticator (t: Test, options: CredentialOptions) {
  const pass = stopTime(t)
  const failures: string[] = []
  const authenticator = new Authenticator(options, (code) => { failures.push(code) })
  return { authenticator, failures, pass }
}

function attach (t: Test, options: CredentialOptions, client = new FakeConnection()) {
  const created = createAuthenticator(t, options)
  created.authenticator.attach(client.as())
  return { ...created, client }
}

/** A password that is the number of the call of its function. */
function createCounted (expiresInMs?: number) {
  const counted = { calls: 0, password: () => ({ password: String(++counted.calls), ...expiresInMs !== undefined && { expiresInMs } }) }
  return counted
}

for (const [why, options, expected] of [
  ['a user and a password', { username: 'app', password: 'secret' }, ['app', 'secret']],
  ['a user without a password', { username: 'app' }, ['app', '']],
  ['a password alone', { password: 'secret' }, 'secret'],
  ['no credentials', {}, undefined]
] as const) {
  t.test(`${why} are set before the socket is opened`, async (t) => {
    const client = new FakeConnection()
    const { username, password } = options as CredentialOptions
    client.connector.connect = async (emit: unknown) => {
      t.match(client, { options: { username, password }, condition: { auth: expected } })
      return emit
    }
    attach(t, options, client)
    t.equal(await client.connector.connect('an argument'), 'an argument')
    t.strictSame(Object.keys(client.options).sort(), ['password', 'username'])
  })
}

t.test('a node with a password of its own keeps it', async (t) => {
  const client = new FakeConnection()
  client.options.password = 'its own'
  const { connect } = client.connector
  attach(t, { password: 'secret' }, client)
  t.equal(client.connector.connect, connect)
  t.strictSame([client.eventNames(), client.options.password], [[], 'its own'])
})

t.test('a connection without a condition has its credentials in its options', async (t) => {
  const client = new FakeConnection()
  client.condition = null
  attach(t, { password: 'secret' }, client)
  await client.connector.connect(null)
  t.match(client, { options: { password: 'secret' }, condition: null })
})

t.test('a connection that is closed while its password is read is not opened', async (t) => {
  const { client } = attach(t, { password: async () => 'secret' })
  const { connected } = client.connector
  const connecting = client.connector.connect(null)
  t.equal(client.connector.connecting, true)
  client.connector.connecting = false
  await t.rejects(connecting, { message: 'the connection was closed' })
  t.strictSame([connected, client.options], [[], {}])
})

for (const [connectTimeout, timeoutMs] of [[50, 50], [undefined, 10_000]] as const) {
  t.test(`reading takes as long as connecting at most, ${timeoutMs} ms`, async (t) => {
    const client = new FakeConnection()
    client.options = { connectTimeout }
    const { pass } = attach(t, { password: () => new Promise(() => {}) }, client)
    let isOver = false
    const connecting = t.rejects(client.connector.connect(null), { code: 'CREDENTIALS' }).then(() => { isOver = true })
    await pass(timeoutMs - 1)
    t.notOk(isOver)
    await pass(1)
    await connecting
  })
}

for (const [expiresInMs, afterMs] of [[2000, 1600], [500, 1000], [1, 1000]] as const) {
  t.test(`a password that expires in ${expiresInMs} ms is replaced after ${afterMs} ms, again and again`, async (t) => {
    const { client, pass } = attach(t, createCounted(expiresInMs))
    await client.connector.connect(null)
    await pass(afterMs - 1)
    t.strictSame(client.calls, [])
    await pass(1)
    t.strictSame(client.calls, [['auth', '2']])
    t.match(client, { options: { password: '2' }, condition: { auth: '2' } })
    await pass(afterMs - 1)
    t.equal(client.calls.length, 1)
    await pass(1)
    t.strictSame(client.calls[1], ['auth', '3'])
  })
}

t.test('a time that is longer than a timer can wait is cut to that', async (t) => {
  const { client } = attach(t, createCounted(2 ** 40))
  const delays: unknown[] = []
  const { setTimeout: original } = globalThis
  t.teardown(() => { globalThis.setTimeout = original })
  globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
    delays.push(args[1])
    return original(...args)
  }) as typeof setTimeout
  await client.connector.connect(null)
  t.strictSame(delays, [10_000, 2 ** 31 - 1])
})

t.test('a password that does not expire is read once', async (t) => {
  const counted = createCounted()
  const { client, pass } = attach(t, counted)
  await client.connector.connect(null)
  await pass(20_000)
  t.strictSame([counted.calls, client.calls], [1, []])
})

t.test('a connection authenticates with its user, if it has one', async (t) => {
  for (const [credentials, expected] of [
    [{ username: 'app', password: 'secret' }, [['auth', 'app', 'secret']]],
    [{ username: 'app' }, [['auth', 'app', '']]],
    [{ username: '', password: 'secret' }, [['auth', 'secret']]],
    [{ password: 'secret' }, [['auth', 'secret']]],
    [{}, []]
  ] as const) {
    const client = new FakeConnection()
    const { authenticator } = attach(t, { password: 'first' }, client)
    await client.connector.connect(null)
    authenticator.replace(credentials)
    await settle()
    t.strictSame(client.calls, expected)
  }
})

t.test('a failure is reported, and repaired in time if the password expires', async (t) => {
  const counted = createCounted(2000)
  const { client, failures, pass } = attach(t, counted)
  await client.connector.connect(null)
  const { auth } = client
  client.auth = async () => { throw Object.assign(new Error('WRONGPASS no'), { name: 'ReplyError' }) }
  await pass(1600)
  t.strictSame(failures, ['WRONGPASS'])
  await pass(RETRY_MS - 1)
  client.auth = auth
  t.strictSame([client.calls, counted.calls], [[], 2])
  await pass(1)
  t.strictSame([client.calls, failures], [[['auth', '3']], ['WRONGPASS']])
})

t.test('a failed replacement is reported, and not tried again', async (t) => {
  const { client, authenticator, failures, pass } = attach(t, { password: 'first' })
  await client.connector.connect(null)
  let calls = 0
  authenticator.replace({ password: () => { calls++; return '' } })
  await pass(2 * RETRY_MS)
  t.strictSame([failures, calls, client.calls], [['CREDENTIALS'], 1, []])
})

t.test('replaced credentials count from then on, with their own time', async (t) => {
  for (const [next, expected] of [[createCounted(20_000), 1], [{ password: 'other' }, 1], [createCounted(2500), 2]] as const) {
    await t.test(async (t) => {
      const { client, authenticator, pass } = attach(t, createCounted(5000))
      await client.connector.connect(null)
      await pass(3000)
      authenticator.replace(next)
      await pass(2500)
      t.equal(client.calls.length, expected)
    })
  }
})

t.test('a connection that does not expire any more is not refreshed when it is opened again', async (t) => {
  const answers = [{ password: 'first', expiresInMs: 2000 }, { password: 'second' }]
  const { client, pass } = attach(t, { password: () => answers.shift() ?? 'third' })
  await client.connector.connect(null)
  await client.connector.connect(null)
  await pass(5000)
  t.strictSame([client.calls, client.options.password], [[], 'second'])
})

t.test('a connection that is not ready reads its own credentials when it is opened', async (t) => {
  const { client, authenticator, failures, pass } = attach(t, createCounted(2000))
  await client.connector.connect(null)
  client.status = 'connecting'
  await pass(1600)
  t.strictSame([client.calls, client.options.password], [[], '1'])
  authenticator.replace({ password: () => '' })
  await pass(2 * RETRY_MS)
  t.strictSame([client.calls, failures], [[], []])
})

t.test('a connection in the handshake with former credentials authenticates again when it is ready', async (t) => {
  const { client, authenticator, failures, pass } = attach(t, { password: 'former' })
  await client.connector.connect(null)
  client.status = 'connect'
  authenticator.replace({ username: 'app', password: 'next' })
  await settle()
  t.strictSame(client.calls, [])
  client.status = 'ready'
  client.emit('ready')
  await settle()
  t.strictSame(client.calls, [['auth', 'app', 'next']])
  client.emit('ready')
  await settle()
  t.strictSame([client.calls.length, client.options.password], [1, 'next'], 'once')

  client.status = 'connect'
  authenticator.replace({ password: () => '' })
  await settle()
  client.status = 'ready'
  client.emit('ready')
  await pass(2 * RETRY_MS)
  t.strictSame([client.calls.length, failures], [1, ['CREDENTIALS']], 'a failure is reported then')
})

t.test('so does one whose password was due in the meantime, unless it was opened again', async (t) => {
  const { client, failures, pass } = attach(t, createCounted(2000))
  const miss = async () => {
    client.status = 'connecting'
    await pass(1600)
    client.status = 'ready'
  }
  await client.connector.connect(null)
  await miss()
  client.emit('ready')
  await settle()
  t.strictSame(client.calls, [['auth', '3']])
  await pass(1600)
  t.equal(client.calls.length, 2, 'and again in time')
  await miss()
  await client.connector.connect(null)
  client.emit('ready')
  await settle()
  t.strictSame([client.calls.length, failures], [2, []])
  await miss()
  client.emit('close')
  client.emit('ready')
  await settle()
  t.equal(client.calls.length, 2)
})

t.test('a connection that is closed is not refreshed', async (t) => {
  const counted = createCounted(2000)
  const { client, authenticator, pass } = attach(t, counted)
  await client.connector.connect(null)
  client.emit('close')
  authenticator.replace(counted)
  await pass(5000)
  t.strictSame([counted.calls, client.calls], [1, []])
})

t.test('a refresh may take as long as connecting', async (t) => {
  for (const [connectTimeout, timeoutMs] of [[50, 50], [undefined, 10_000]] as const) {
    await t.test(async (t) => {
      const client = new FakeConnection()
      client.options = { connectTimeout }
      const { authenticator, failures, pass } = attach(t, { password: 'first' }, client)
      await client.connector.connect(null)
      authenticator.replace({ password: () => new Promise(() => {}) })
      await pass(timeoutMs - 1)
      t.strictSame(failures, [])
      await pass(1)
      t.strictSame(failures, ['CREDENTIALS'])
    })
  }
})

t.test('a copy of a connection has its credentials, unless Redis rejected them', async (t) => {
  const counted = createCounted()
  const { client } = attach(t, counted)
  await client.connector.connect(null)
  const copy = client.duplicate({ db: 1 })
  t.match(copy.options, { db: 1, lazyConnect: true })
  await copy.connector.connect(null)
  t.strictSame([copy.options.password, counted.calls, copy.connector.connected], ['1', 1, [null]])
  for (const [from, message, password] of [[client, 'NOAUTH no', '1'], [client, 'WRONGPASS no', '2'], [copy, 'WRONGPASS no', '3']] as const) {
    from.emit('error', new Error(message))
    await copy.connector.connect(null)
    t.equal(copy.options.password, password, message)
  }
  copy.emit('close')
  t.equal(client.duplicate().options.lazyConnect, true)
})
