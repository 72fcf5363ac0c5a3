// Every order of calls, results, deadlines and ticks under a breaker. See models/breaker.ts for what must hold.
import * as cases from '../../models/breaker-cases.js'
import { checkModel } from './check-model.js'

checkModel(cases, {
  steps: ['tick', 'a call is made', 'a call is not made', 'a probe is made', 'a call succeeds', 'a call fails', 'a call is at its deadline', 'a late call fails']
})
