import t from 'tap'
import { storeContract } from '../../fixtures/store-contract.js'
import { openBench } from './open-store.js'

const bench = await openBench(t)
let count = 0

// A prefix for each case: it begins with an empty store.
storeContract(t, 'redis', (clock) => bench.store({ keyPrefix: `contract-${count++}:`, timeUs: () => clock.nowUs() }))
