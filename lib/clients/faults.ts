import type { FaultLog } from '../observability/fault-log.js'

/** Where failures of the application's functions are told. */
export type Faults = Pick<FaultLog, 'report' | 'reportMade'>
