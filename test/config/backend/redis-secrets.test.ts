// Whatever is wrong with where Redis is, and wherever a password got to: no message shows any of it.
import t from 'tap'
import fc from 'fast-check'
import { readConfigText } from '../../../lib/config/file/config-file.js'
import { readEnvironment } from '../../../lib/config/environment/environment.js'
import { CLUSTER_OPTIONS, CONNECTION_OPTIONS, NODE_OPTIONS } from '../../../lib/config/backend/redis-options.js'
import { checkRedisTarget } from '../../../lib/config/backend/redis-target.js'
import { assertProperty } from '../../fixtures/property.js'
import { scaleToLane } from '../../fixtures/lane.js'

const node = { host: 'a', port: 1 }

/** What register says of a target; `null` where nothing is wrong. */
function said (target: unknown): string | null {
  try {
    checkRedisTarget(target, 'rateLimit.redis')
    return null
  } catch (error) {
    return error instanceof Error ? `${error.message}${error.stack}${String(error.cause)}` : String(error)
  }
}

/** What the other sources say of it. */
function saidElsewhere (target: unknown): string {
  const { mistakes } = readEnvironment({ SLUICE_REDIS: typeof target === 'string' ? target : JSON.stringify(target) })
  const file = typeof target === 'string' ? readConfigText(`redis = ${JSON.stringify(target)}`, 'a.toml') : { mistakes: [] }
  return [...mistakes, ...'mistakes' in file ? file.mistakes : []].map(({ message }) => message).join('\n')
}

const wrong: ReadonlyArray<readonly [target: unknown, why: string]> = [
  ['redis:hunter2', 'the slashes forgotten'],
  ['hunter2', 'the password alone'],
  ['redis://app:12/hunter2@h', 'its "/" taken for the end of the host'],
  ['redis://app:12?hunter2@h', 'its "?" taken for the beginning of options'],
  ['redis://app:12?db=hunter2@h', 'an option in it'],
  ['redis://app:12#hunter2@h', 'its "#" taken for the end of the URL'],
  ['redis://:%hunter2@h', 'a "%" that begins no character'],
  ['redis://h?hunter2', 'a query without a name'],
  [{ port: 'redis://app:hunter2@h' }, 'a URL as the port'],
  [{ host: 'h', lazyConnect: 'redis://app:hunter2@h' }, 'a URL as a switch'],
  [{ sentinels: 'redis://:hunter2@h', name: 'main' }, 'a URL as the sentinels'],
  [{ sentinels: [['redis://:hunter2@h']], name: 'main' }, 'URLs in a list of lists'],
  [{ cluster: 'redis://:hunter2@h' }, 'a URL as the nodes'],
  [{ cluster: [{ host: 'a', port: 'redis://:hunter2@h' }] }, 'a URL as the port of a node'],
  [{ cluster: [node], redisOptions: 'redis://:hunter2@h' }, 'a URL as the options'],
  [{ cluster: [node], redisOptions: ['redis://:hunter2@h'] }, 'a URL among the options'],
  [{ cluster: [node], clusterOptions: { maxRedirections: 'hunter2' } }, 'the password as a number'],
  [{ 'redis://:hunter2@h': true }, 'a URL as the name of an option'],
  [{ password: { hunter2: 1 } }, 'an object as the password'],
  [['redis://:hunter2@h'], 'a list of URLs']
]
for (const [target, why] of wrong) {
  t.test(`a mistake tells no password: ${why}`, async (t) => {
    t.type(said(target), 'string')
    t.notMatch(said(target), /hunter2/)
    t.notMatch(saidElsewhere(target), /hunter2/)
  })
}

// Letters that are in no message, so that even one of them would be noticed, and what means something in a URL.
const password = fc.string({ unit: fc.constantFrom(...'QXZKWGHY', ...'/?#@:%&=[]{}+,; "\\'), minLength: 1, maxLength: 12 }).map((text) => `Q${text}Z`)
const URLS: ReadonlyArray<(secret: string) => string> = [
  (secret) => secret,
  (secret) => `redis:${secret}`,
  (secret) => `redis:/${secret}@127.0.0.1`,
  (secret) => `redis://${secret}`,
  (secret) => `redis://${secret}@127.0.0.1`,
  (secret) => `redis://:${secret}@127.0.0.1:6379/0`,
  (secret) => `redis://app:12${secret}@127.0.0.1`,
  (secret) => `rediss://app:12/${secret}@127.0.0.1`,
  (secret) => `http://app:${secret}@127.0.0.1`,
  (secret) => `redis://127.0.0.1:${secret}`,
  (secret) => `redis://127.0.0.1/${secret}`,
  (secret) => `redis://127.0.0.1#${secret}`,
  (secret) => `redis://127.0.0.1?${secret}`,
  (secret) => `redis://127.0.0.1?password=${secret}`,
  (secret) => `redis://127.0.0.1?port=${secret}`,
  (secret) => `redis://127.0.0.1?pasword${secret}=1`
]
const TARGETS: ReadonlyArray<(text: string, option: string) => unknown> = [
  (text) => text,
  (text, option) => ({ host: 'a', [option]: text }),
  (text, option) => ({ host: 'a', [option]: [text] }),
  (text) => ({ [`redis://:${text}@a`]: 1 }),
  (text, option) => ({ sentinels: [{ host: 'a', [option]: text }], name: 'main' }),
  (text) => ({ sentinels: text, name: 'main' }),
  (text) => ({ sentinels: [[text]], name: 'main' }),
  (text) => ({ cluster: text }),
  (text, option) => ({ cluster: [node, { host: 'a', [option]: text }] }),
  (text, option) => ({ cluster: [node], [option]: text }),
  (text) => ({ cluster: [node], redisOptions: text }),
  (text, option) => ({ cluster: [node], redisOptions: { [option]: text } }),
  (text, option) => ({ cluster: [node], clusterOptions: { [option]: text } })
]
const OPTIONS = [CONNECTION_OPTIONS, CLUSTER_OPTIONS, NODE_OPTIONS].flatMap((kinds) => [...kinds.keys()])
const targets = fc.tuple(password, fc.constantFrom(...URLS), fc.constantFrom(...TARGETS), fc.constantFrom(...new Set(['redisOptions', 'clusterOptions', 'cluster', ...OPTIONS])))

t.test('a mistake tells no part of a password, whatever is in it and wherever it stands', async (t) => {
  let refused = 0
  assertProperty(targets, 6000, ([secret, urlOf, targetOf, name]) => {
    const given = targetOf(urlOf(secret), name)
    const message = said(given)
    if (message !== null) refused++
    // The stack has the names of our own files and functions.
    const shown = `${message?.split('\n    at ', 1)[0]}${saidElsewhere(given)}`
    if (/[QXZKWGHY]/.test(shown)) throw new Error(shown)
  })
  t.ok(refused > scaleToLane(3000), `${refused} were refused`)
})
