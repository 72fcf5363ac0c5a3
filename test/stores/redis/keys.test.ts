import t from 'tap'
import fc from 'fast-check'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { limitOf, penaltyWith } from '../../fixtures/limits.js'
import { assertProperty } from '../../fixtures/property.js'

const keys = new KeyWriter('sluice:')
const limit = limitOf({ bucket: 'app/default' })

/** What a Cluster hashes: between the first brace and the next closing one, if that is not empty. */
function hashTag (key: string): string {
  const opened = key.indexOf('{')
  return key.slice(opened + 1, key.indexOf('}', opened))
}

t.test('a key is prefix, partition as hash tag, and a hash of the limit', async (t) => {
  t.match(keys.formatBucketKey(limit, 'ip:203.0.113.9'), /^sluice:\{ip:203\.0\.113\.9\}:[\w-]{8}$/)
  t.equal(keys.formatBucketKey(limit, 'user:42'), keys.formatBucketKey({ ...limit, name: 'again', max: 3 }, 'user:42'), 'whatever the numbers of the limit')
  t.not(keys.formatBucketKey(limit, 'user:42'), keys.formatBucketKey(limitOf({ bucket: 'app/other' }), 'user:42'))
  t.equal(hashTag(keys.formatBucketKey(limit, 'user:42')), 'user:42')
})

t.test('all limits of one partition have one hash tag', async () => {
  assertProperty(fc.tuple(fc.string({ unit: 'binary' }), fc.string(), fc.string()), 300, ([partition, a, b]) => {
    const [first, second] = [a, b].map((bucket) => keys.formatBucketKey(limitOf({ bucket }), partition))
    if (hashTag(first) !== hashTag(second) || hashTag(first) === '') throw new Error('the limits would be apart')
    if ((first === second) !== (a === b)) throw new Error('two limits share a bucket')
  })
})

t.test('no two partitions share a key, however they are made', async (t) => {
  const plain = 'user:42'
  const long = 'x'.repeat(10_000)
  const known = [
    '', ' ', plain, 'user:42 ', ' user:42', 'USER:42', 'user:42\n', 'user:42\0', 'user:42}', '{user:42}', 'user:42}:AAAAAAAA', '}', '{', '{}', '}{',
    ':', '%', '%25', 'user%3A42', hashTag(keys.formatBucketKey(limit, '{')),
    long, `${long}y`, long.slice(1), 'x'.repeat(128), 'x'.repeat(129), 'é', 'e\u0301', '\u00e9\u0000', '😀', '\ud83d', '\ude00', '\ud83e', '\ufffd', '\ud800a', '\ud801a'
  ]
  t.equal(new Set(known.map((partition) => keys.formatBucketKey(limit, partition))).size, known.length)
  const strange = fc.string({ unit: fc.oneof(fc.constantFrom('{', '}', ':', '%', '\n', 'a', 'A'), fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code))), maxLength: 6 })
  assertProperty(fc.tuple(strange, strange), 2000, ([a, b]) => {
    if ((keys.formatBucketKey(limit, a) === keys.formatBucketKey(limit, b)) !== (a === b)) throw new Error('two partitions share a bucket')
  })
})

t.test('a key is short and printable, whatever the partition', async () => {
  assertProperty(fc.string({ unit: 'binary', maxLength: 1000, size: 'max' }), 500, (partition) => {
    const key = keys.formatBucketKey(limit, partition)
    if (!/^sluice:\{[!-z|~]{1,128}\}:[\w-]{8}$/.test(key)) throw new Error(key)
  })
})

t.test('how a partition stands under a penalty lies in the slot of its buckets, under a name that no bucket has', async (t) => {
  const penalty = penaltyWith({ bucket: limit.bucket })
  for (const partition of ['user:42', '{', 'x'.repeat(10_000)]) {
    t.equal(hashTag(keys.formatPenaltyKey(penalty, partition)), hashTag(keys.formatBucketKey(limit, partition)))
    t.not(keys.formatPenaltyKey(penalty, partition), keys.formatBucketKey(limit, partition))
  }
  t.match(keys.formatPenaltyKey(penalty, 'user:42'), /^sluice:\{user:42\}![\w-]{8}$/)
  t.equal(keys.formatPenaltyKey({ ...penalty, strikes: 9 }, 'user:42'), keys.formatPenaltyKey(penalty, 'user:42'), 'whatever the rule')
  t.not(keys.formatPenaltyKey(penaltyWith({ bucket: 'app/other' }), 'user:42'), keys.formatPenaltyKey(penalty, 'user:42'))
})
