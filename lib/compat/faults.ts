import type { FaultLog } from '../common/log.js'

export type ObserverName = 'onExceeding' | 'onExceeded' | 'onBanReach'

/** The application's code that can fail without failing the request. */
export type CompatFaults = FaultLog<ObserverName | 'keyGenerator' | 'max' | 'store' | 'timeWindow'>
