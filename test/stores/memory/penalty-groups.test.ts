// Strikes of partitions without room, and how many entries are scanned for expired ones.
import t from 'tap'
import { blockedUs } from '../../../lib/algorithms/penalty.js'
import { OverflowGroups } from '../../../lib/stores/memory/overflow-groups.js'
import { Penalties } from '../../../lib/stores/memory/penalties.js'
import { penaltyWith, SECOND_US } from '../../fixtures/limits.js'

const START_US = 1000 * SECOND_US
const penalty = penaltyWith()

function open (maxKeys: number) {
  const penalties = new Penalties(maxKeys, new OverflowGroups(1, 2), () => {})
  const strike = (partition: string, strikes = 1, nowUs = START_US) => {
    penalties.addStrikes(penalties.loadEntry(penalty, partition, nowUs), strikes, nowUs)
  }
  const blockUs = (partition: string, nowUs = START_US) => blockedUs(penalties.loadEntry(penalty, partition, nowUs).state, nowUs)
  return { penalties, strike, blockUs }
}

const network = (i: number) => `${10 + (i >> 8)}.${i & 255}.0.1`

t.test('there is room for the strikes of 1024 groups, and then for those of each kind', async (t) => {
  const { penalties, strike, blockUs } = open(1)
  strike('user:1')
  for (let i = 0; i < 1023; i++) strike(network(i))
  t.equal(blockUs(network(1023)), 0)
  strike(network(1023))
  strike(network(0), 2)
  t.strictSame([blockUs(network(0)), blockUs(network(1023)), blockUs(network(1024))], [10 * SECOND_US, 0, 0], 'a group with an entry keeps it')
  strike(network(1024), 3)
  t.strictSame([blockUs(network(1024)), blockUs(network(1025)), blockUs(network(1))], [10 * SECOND_US, 10 * SECOND_US, 0])
  t.equal(penalties.size, 1)
})

t.test('a group stays one after the clock has stepped back, and its block ends', async (t) => {
  const { penalties, strike, blockUs } = open(1)
  strike('user:1')
  strike(network(1), 3)
  penalties.reset(penalty, 'user:1', START_US)
  t.equal(penalties.size, 0)
  const beforeUs = START_US - 500 * SECOND_US
  t.equal(blockUs(network(1), beforeUs), 10 * SECOND_US)
  t.equal(blockUs(network(1), beforeUs + SECOND_US), 9 * SECOND_US)
  t.equal(penalties.size, 0, 'no partition has an entry')
})

t.test('so does the block of a partition', async (t) => {
  const { penalties, strike, blockUs } = open(10)
  strike('user:1', 3)
  const beforeUs = START_US - 500 * SECOND_US
  t.strictSame([blockUs('user:1', beforeUs), blockUs('user:1', beforeUs + SECOND_US)], [10 * SECOND_US, 9 * SECOND_US])
  t.equal(penalties.loadEntry(penalty, 'user:1', beforeUs).began, false)
})

t.test('a strike scans eight entries, and a sweep a hundred', async (t) => {
  const { penalties, strike } = open(1000)
  for (let i = 0; i < 250; i++) strike(`user:${i}`)
  const laterUs = START_US + 60 * SECOND_US
  strike('user:new', 1, laterUs)
  t.equal(penalties.size, 250 - 8 + 1)
  penalties.sweep(laterUs)
  t.equal(penalties.size, 243 - 100)
})
