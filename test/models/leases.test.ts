// Every order of events of a few processes that lease units of one bucket. See models/leases.ts for the bound.
import * as cases from '../../models/lease-cases.js'
import { checkModel } from './check-model.js'

checkModel(cases, { steps: ['a node spends', 'a node reports', 'a node crashes', 'a node stops to wait', 'a reply is lost', 'an exact take', 'Redis leases 1'] })
