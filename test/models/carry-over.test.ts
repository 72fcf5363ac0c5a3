// Every order of checks under several versions of a limit that share one bucket. See models/carry-over.ts for the bound.
import type { CarryOverModelOptions } from '../../models/carry-over.js'
import * as cases from '../../models/carry-over-cases.js'
import { checkModel } from './check-model.js'

checkModel(cases, {
  steps: ['tick', 'version 0 grants', 'version 0 refuses', 'version 1 asks', 'version 1 refuses'],
  // The sum of the versions is an upper bound, which they do not reach.
  isReached: ({ bound }: CarryOverModelOptions) => bound !== 'sum'
})
