import t from 'tap'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import { storeContract } from '../../fixtures/store-contract.js'

storeContract(t, 'memory', (clock) => createMemoryStore({ clock, maxKeys: 100_000 }))
