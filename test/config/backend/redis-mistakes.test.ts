// Where Redis is, said wrongly. Nothing is connected.
import t from 'tap'
import { reportUrlErrors } from '../../../lib/config/backend/redis-url.js'
import { testRefusedOptions, type RefusedOptions } from '../../fixtures/refusals.js'

const aTarget = 'a URL such as "redis://127.0.0.1:6379", ioredis options, { sentinels, name }, { cluster: [nodes] }, or a Redis or Cluster client'
const noScheme = 'text that does not begin with "redis://" or "rediss://"'
const notEncoded = 'a URL whose user or password is not percent-encoded'
const notShown = 'text (not shown, as it may contain a password)'
const nodes = 'an array of at least one { host, port }'
const aPrimary = 'the name by which the sentinels know the primary'
const aDuration = 'a duration such as "10s" or a number of milliseconds'
const node = { host: '127.0.0.1', port: 1 }

const wrongValues: readonly RefusedOptions[] = [
  [{ redis: null }, `.redis: expected ${aTarget}, got null`],
  [{ redis: true }, `.redis: expected ${aTarget}, got true`],
  [{ redis: 6379 }, `.redis: expected ${aTarget}, got 6379`],
  [{ redis: [] }, `.redis: expected ${aTarget}, got an array of 0`],
  [{ redis: { isOpen: false, sendCommand () {} } }, `.redis: expected ${aTarget}, got a client of another library than ioredis`],
  [{ redis: Object.create({ customCommand () {} }) }, `.redis: expected ${aTarget}, got a client of another library than ioredis`],
  // Each connected to 127.0.0.1:6379.
  [{ redis: Promise.resolve({}) }, `.redis: expected ${aTarget}, got a Promise; await it first`],
  [{ redis: { then () {} } }, `.redis: expected ${aTarget}, got a Promise; await it first`],
  [{ redis: new URL('redis://a') }, `.redis: expected ${aTarget}, got a URL object; use its href`],
  [{ redis: new Map([['host', 'a']]) }, `.redis: expected ${aTarget}, got an object of a class, without any option`],
  [{ redis: new Date() }, `.redis: expected ${aTarget}, got an object of a class, without any option`],
  [{ redis: () => {} }, `.redis: expected ${aTarget}, got a function`],
  [{ redis: '' }, `.redis: expected ${aTarget}, got ""`],
  [{ redis: 'localhost' }, `.redis: expected ${aTarget}, got ${noScheme}`],
  [{ redis: 'localhost:6379' }, `.redis: expected ${aTarget}, got ${noScheme}`],
  [{ redis: 'redis:localhost' }, `.redis: expected ${aTarget}, got ${noScheme}`],
  [{ redis: 'http://localhost:6379' }, `.redis: expected ${aTarget}, got ${noScheme}`],
  [{ redis: 'redis://localhost:99999' }, `.redis: expected ${aTarget}, got a URL without a host, or with an invalid port`],
  [{ redis: 'redis://:6379' }, `.redis: expected ${aTarget}, got a URL without a host, or with an invalid port`],
  [{ redis: 'redis://app:sec/ret@localhost' }, `.redis: expected ${aTarget}, got ${notEncoded}`],
  [{ redis: 'redis://app:12/34@localhost' }, `.redis: expected ${aTarget}, got ${notEncoded}`],
  [{ redis: 'redis://app:12?secret@localhost' }, `.redis: expected ${aTarget}, got ${notEncoded}`],
  [{ redis: 'redis://app:12?db=secret@localhost' }, `.redis: expected ${aTarget}, got ${notEncoded}`],
  // Without a word they would be connected to the host "app".
  [{ redis: 'redis://app:12#secret@localhost' }, `.redis: expected ${aTarget}, got ${notEncoded}`],
  [{ redis: 'redis://app:12/0#secret@localhost' }, `.redis: expected ${aTarget}, got ${notEncoded}`],
  [{ redis: 'redis://:%zz@localhost' }, `.redis: expected ${aTarget}, got ${notEncoded}`],
  [{ redis: 'redis://localhost/main' }, `.redis: expected ${aTarget}, got a URL whose path is not a database number`],
  [{ redis: 'redis://localhost?db=main' }, '.redis: expected a whole number from 0 to 2147483647 for "db", once, in the query of the URL, got something else'],
  [{ redis: 'redis://localhost?db=1&db=2' }, '.redis: expected a whole number from 0 to 2147483647 for "db", once, in the query of the URL, got something else'],
  [{ redis: 'redis://localhost?connectTimeout=soon' }, '.redis: expected a whole number from 0 to 2147483647 for "connectTimeout", once, in the query of the URL, got something else'],
  [{ redis: 'redis://localhost?connectTimeout=4294967296' }, '.redis: expected a whole number from 0 to 2147483647 for "connectTimeout", once, in the query of the URL, got something else'],
  [{ redis: 'redis://localhost?family=5' }, '.redis: expected 0, 4 or 6 for "family", once, in the query of the URL, got something else'],
  [{ redis: 'redis://localhost?tls=no' }, '.redis: expected true or false for "tls", once, in the query of the URL, got something else'],
  [{ redis: 'rediss://localhost?tls=false' }, '.redis: expected no "tls" in the query of a "rediss://" URL, got tls=false'],
  [{ redis: 'redis://localhost?lazyConnect=1' }, '.redis: expected true or false for "lazyConnect", once, in the query of the URL, got something else'],
  [{ redis: { tls: 'yes' } }, `.redis.tls: expected true, false or an object of tls.connect options, got ${notShown}`],
  [{ redis: { Connector: 'x' } }, `.redis.Connector: expected a function, got ${notShown}`],
  [{ redis: { natMap: 5 } }, '.redis.natMap: expected an object or a function, got 5'],
  [{ redis: { preferredSlaves: 5 } }, '.redis.preferredSlaves: expected an object, an array or a function, got 5'],
  [{ redis: { family: 5 } }, '.redis.family: expected 0, 4 or 6, got 5'],
  [{ redis: { protocol: 4 } }, '.redis.protocol: expected 2 or 3, got 4'],
  [{ redis: { role: 'primary' } }, `.redis.role: expected "master" or "slave", got ${notShown}`],
  [{ redis: { cluster: ['redis://a?connectTimeout=5'] } }, `.redis.cluster[0]: expected a node without "?", with its options in redisOptions, got ${notShown}`],
  [{ redis: { cluster: [node], clusterOptions: { scaleReads: 'any' } } }, `.redis.clusterOptions.scaleReads: expected "master", "slave", "all" or a function, got ${notShown}`],
  [{ redis: { port: 0 } }, '.redis.port: expected a port from 1 to 65535, got 0'],
  [{ redis: { port: 65_536 } }, '.redis.port: expected a port from 1 to 65535, got 65536'],
  [{ redis: { port: '6379a' } }, `.redis.port: expected a port from 1 to 65535, got ${notShown}`],
  [{ redis: { host: 5 } }, '.redis.host: expected a string, got 5'],
  [{ redis: { db: -1 } }, '.redis.db: expected a whole number from 0 to 2147483647, got -1'],
  [{ redis: { password: 12345 } }, '.redis.password: expected a string or a function, got a number'],
  [{ redis: { connectTimeout: -5 } }, '.redis.connectTimeout: expected a whole number from 0 to 2147483647, got -5'],
  [{ redis: { retryStrategy: 100 } }, '.redis.retryStrategy: expected a function, got 100'],
  [{ redis: { lazyConnect: 'yes' } }, `.redis.lazyConnect: expected true or false, got ${notShown}`],
  [{ redis: { sentinels: [], name: 'main' } }, `.redis.sentinels: expected ${nodes}, got an array of 0`],
  [{ redis: { sentinels: '127.0.0.1', name: 'main' } }, `.redis.sentinels: expected ${nodes}, got ${notShown}`],
  [{ redis: { sentinels: [5], name: 'main' } }, '.redis.sentinels[0]: expected { host, port }, got 5'],
  [{ redis: { sentinels: [node, {}], name: 'main' } }, '.redis.sentinels[1]: expected { host, port }, got an object'],
  [{ redis: { sentinels: [{ host: 'a', port: 'x' }], name: 'main' } }, `.redis.sentinels[0].port: expected a port from 1 to 65535, got ${notShown}`],
  [{ redis: { sentinels: [node] } }, `.redis.name: expected ${aPrimary}, got nothing`],
  [{ redis: { sentinels: [node], name: '' } }, `.redis.name: expected ${aPrimary}, got ""`],
  [{ redis: { cluster: [] } }, `.redis.cluster: expected ${nodes}, got an array of 0`],
  [{ redis: { cluster: node } }, `.redis.cluster: expected ${nodes}, got an object`],
  [{ redis: { cluster: [null] } }, '.redis.cluster[0]: expected { host, port }, got null'],
  [{ redis: { cluster: [''] } }, '.redis.cluster[0]: expected { host, port }, got ""'],
  [{ redis: { cluster: [node], redisOptions: 5 } }, '.redis.redisOptions: expected an object of ioredis options, got 5'],
  [{ redis: { cluster: [node], redisOptions: [] } }, '.redis.redisOptions: expected an object of ioredis options, got an array of 0'],
  [{ deadline: -1 }, '.deadline: expected an integer from 1 to 5000, got -1'],
  [{ deadline: 0 }, '.deadline: expected an integer from 1 to 5000, got 0'],
  [{ deadline: '50ms' }, '.deadline: expected an integer from 1 to 5000, got "50ms"'],
  [{ deadline: 5001 }, '.deadline: expected an integer from 1 to 5000, got 5001'],
  [{ breaker: { failures: 0 } }, '.breaker.failures: expected an integer of 1 or more, got 0'],
  [{ breaker: { within: 'soon' } }, `.breaker.within: expected ${aDuration}, got "soon"`],
  [{ breaker: { openFor: -1 } }, `.breaker.openFor: expected ${aDuration}, got -1`],
  [{ breaker: { openFor: 0 } }, `.breaker.openFor: expected ${aDuration}, got 0`],
  [{ breaker: 5 }, '.breaker: expected an object: { failures?, within?, openFor? }, got 5'],
  [{ connections: 0 }, '.connections: expected an integer from 1 to 16, got 0'],
  [{ connections: 17 }, '.connections: expected an integer from 1 to 16, got 17'],
  [{ maxPending: 0 }, '.maxPending: expected an integer from 1 to 1000000, got 0'],
  [{ keyPrefix: 'a{b}' }, '.keyPrefix: expected at most 64 characters without braces and spaces, got "a{b}"'],
  [{ keyPrefix: 5 }, '.keyPrefix: expected at most 64 characters without braces and spaces, got 5'],
  [{ failureMode: 'fail' }, '.failureMode: expected "local" or "open" or "closed", got "fail"'],
  [{ health: true }, '.health: expected false, or an object: { path?, allow? }, got true'],
  [{ health: { path: 'health' } }, '.health.path: expected a path that begins with "/", got "health"'],
  [{ health: { allow: 'private' } }, '.health.allow: expected an array of addresses, CIDRs, "loopback" and "private", got "private"'],
  [{ health: { allow: ['10.0.0.0/33'] } }, '.health.allow[0]: expected an address or a CIDR such as "10.0.0.0/8", "loopback" or "private", got "10.0.0.0/33"']
]

const unknownKeys: readonly RefusedOptions[] = [
  [{ redis: { hosts: 'a' } }, '.redis.hosts: unknown option, did you mean "host"?'],
  [{ redis: { pasword: 'secret' } }, '.redis.pasword: unknown option, did you mean "password"?'],
  [{ redis: { url: 'redis://secret@a' } }, '.redis.url: unknown option; use the URL itself instead of an object, or host and port'],
  // These would resend a call that was counted already, or count it long after its request was answered.
  [{ redis: { maxRetriesPerRequest: 5 } }, '.redis.maxRetriesPerRequest: unknown option'],
  [{ redis: { enableOfflineQueue: true } }, '.redis.enableOfflineQueue: unknown option'],
  [{ redis: 'redis://localhost?maxRetriesPerRequest=5' }, '.redis: unknown option in the query of the URL'],
  ...['Connector', 'retryStrategy', 'sentinels', 'natMap', 'preferredSlaves'].map((name): RefusedOptions => {
    return [{ redis: `redis://localhost?${name}=x` }, `.redis: unknown option "${name}" in the query of the URL; use an object of ioredis options`]
  }),
  [{ redis: 'redis://localhost?dbs=5' }, '.redis: unknown option in the query of the URL, did you mean "db"?'],
  [{ redis: { 'redis://:secret@a': 5 } }, '.redis: unknown option in it (name not shown, as it may contain a password)'],
  [{ redis: { constructor: 5 } }, '.redis.constructor: unknown option'],
  [{ redis: { cluster: [node], redisOption: {} } }, '.redis.redisOption: unknown option, did you mean "redisOptions"?'],
  [{ redis: { cluster: [node], redisOptions: { prot: 1 } } }, '.redis.redisOptions.prot: unknown option, did you mean "port"?'],
  [{ redis: { cluster: [node], clusterOptions: { scaleRead: 'all' } } }, '.redis.clusterOptions.scaleRead: unknown option, did you mean "scaleReads"?'],
  [{ redis: { cluster: [node], clusterOptions: { enableOfflineQueue: true } } }, '.redis.clusterOptions.enableOfflineQueue: unknown option'],
  [{ redis: { sentinels: [{ ...node, prt: 1 }], name: 'main' } }, '.redis.sentinels[0].prt: unknown option, did you mean "port"?'],
  [{ breaker: { failure: 5 } }, '.breaker.failure: unknown option, did you mean "failures"?'],
  [{ deadlines: 5 }, '.deadlines: unknown option, did you mean "deadline"?']
]

testRefusedOptions(t, 'FST_SLUICE_BAD_OPTION', wrongValues)
testRefusedOptions(t, 'FST_SLUICE_UNKNOWN_OPTION', unknownKeys)

// 60,000 parameters were compared with all others for each of them.
t.test('a URL has one error, however many of its parameters are wrong', async (t) => {
  const places: unknown[] = []
  reportUrlErrors(`redis://h/?${'connectTimeout=1&'.repeat(100)}unknown=1`, 'a URL', (path) => { places.push(path) })
  t.strictSame(places, [[]])
})
