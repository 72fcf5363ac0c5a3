// Every order of events of a few processes that hold slots of one partition. See models/slots.ts for the bound.
import * as cases from '../../models/slot-cases.js'
import { checkModel } from './check-model.js'

checkModel(cases, { steps: ['tick', 'a check is sent', 'a report is sent', 'Redis grants a check', 'Redis takes a report', 'a request ends', 'a forgotten request ends'] })
