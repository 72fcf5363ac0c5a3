// The user and password of connections: which answers of functions are accepted, and how often the functions are called.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { CredentialSource, type CredentialOptions } from '../../../lib/stores/redis/credentials.js'

const GENEROUS_MS = 5000

// The timers of the source keep no process alive.
const alive = setInterval(() => {}, GENEROUS_MS)
t.teardown(() => { clearInterval(alive) })
const FAILED = { code: 'CREDENTIALS', message: 'the function of the password failed' }

const read = async (options: unknown, timeoutMs = GENEROUS_MS) => await new CredentialSource(options as CredentialOptions).read(timeoutMs)

/** A source whose password is the number of the call, and the answers that the test gives. */
function createCounted () {
  const resolves: Array<(password: string) => void> = []
  const source = new CredentialSource({ password: () => new Promise((resolve) => { resolves.push(resolve) }) })
  const answer = async (call: number) => {
    // The function is called in the turn of `read`, its answer is awaited.
    resolves[call](`secret ${call}`)
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }
  return { source, resolves, answer }
}

for (const [why, options, expected] of [
  ['texts', { username: 'app', password: 'secret' }, { username: 'app', password: 'secret' }],
  ['functions', { username: () => 'app', password: () => 'secret' }, { username: 'app', password: 'secret' }],
  ['promises', { username: async () => 'app', password: async () => 'secret' }, { username: 'app', password: 'secret' }],
  ['none', {}, { username: undefined, password: undefined }],
  ['a password alone', { password: () => 'secret' }, { username: undefined, password: 'secret' }],
  ['a user without a password', { username: 'app' }, { username: 'app', password: undefined }],
  ['a user and a password that change together', { username: 'old', password: () => ({ username: 'new', password: 'secret', expiresInMs: 0.5 }) },
    { username: 'new', password: 'secret', expiresInMs: 0.5 }],
  ['a password that expires', { username: 'app', password: () => ({ password: 'secret', expiresInMs: 1000 }) }, { username: 'app', password: 'secret', expiresInMs: 1000 }]
] as const) {
  t.test(`credentials are read from ${why}`, async (t) => { t.strictSame(await read(options), expected) })
}

for (const [why, options] of [
  ['throws', { password: () => { throw new Error('a secret') } }],
  ['rejects', { password: async () => { throw new Error('a secret') } }],
  ['throws for the user', { username: () => { throw new Error('a secret') }, password: 'secret' }],
  ['returns nothing', { password: () => undefined }],
  ['returns no text', { password: () => 5 }],
  ['returns an empty text', { password: () => '' }],
  ['returns an object without a password', { password: () => ({ username: 'app' }) }],
  ['returns a password that is no text', { password: () => ({ password: 5 }) }],
  ['returns a user that is no text', { password: () => ({ password: 'secret', username: 5 }) }],
  ['returns a password that has expired', { password: () => ({ password: 'secret', expiresInMs: 0 }) }],
  ['returns a time that is no number', { password: () => ({ password: 'secret', expiresInMs: '1000' }) }],
  ['returns null', { password: () => null }]
] as const) {
  t.test(`a function that ${why} fails, and its error is not shown`, async (t) => { await t.rejects(read(options), FAILED) })
}

t.test('a function that takes too long fails', async (t) => {
  await t.rejects(read({ password: () => new Promise(() => {}) }, 5), FAILED)
})

t.test('an answer that arrived while the event loop was blocked counts', async (t) => {
  const password = () => new Promise((resolve) => { randomBytes(8, () => { resolve('secret') }) })
  const answer = read({ password }, 5)
  const endMs = performance.now() + 50
  while (performance.now() < endMs);
  t.strictSame(await answer, { username: undefined, password: 'secret' })
})

t.test('connections that are opened together share one call', async (t) => {
  const { source, resolves, answer } = createCounted()
  const reads = [source.read(GENEROUS_MS), source.read(GENEROUS_MS), source.reuse(GENEROUS_MS)]
  await answer(0)
  t.strictSame((await Promise.all(reads)).map(({ password }) => password), ['secret 0', 'secret 0', 'secret 0'])
  const next = source.read(GENEROUS_MS)
  await answer(1)
  t.equal((await next).password, 'secret 1', 'the next one makes its own')
  t.equal(resolves.length, 2)
})

t.test('credentials are used again until Redis rejects them', async (t) => {
  const { source, resolves, answer } = createCounted()
  const first = source.read(GENEROUS_MS)
  await answer(0)
  await first
  t.equal((await source.reuse(GENEROUS_MS)).password, 'secret 0')
  source.reject()
  const next = source.reuse(GENEROUS_MS)
  t.equal(resolves.length, 2)
  await answer(1)
  t.equal((await next).password, 'secret 1')
})

t.test('credentials that were replaced are neither shared nor used again', async (t) => {
  const { source, answer } = createCounted()
  const known = source.read(GENEROUS_MS)
  await answer(0)
  await known
  const old = source.read(GENEROUS_MS)
  let calls = 0
  const answers: Array<() => void> = []
  source.replace({ password: () => new Promise((resolve) => { calls++; answers.push(() => { resolve('new') }) }) })
  const fresh = source.reuse(GENEROUS_MS)
  await answer(1)
  t.equal((await old).password, 'secret 1', 'who asked before gets the old ones')
  const shared = source.reuse(GENEROUS_MS)
  answers[0]()
  t.strictSame([(await fresh).password, (await shared).password, calls], ['new', 'new', 1])
  t.equal((await source.reuse(GENEROUS_MS)).password, 'new')
})
