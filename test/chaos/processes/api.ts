/** Runs an api that obeys orders. */
import { obeyOrders } from './orders.ts';

obeyOrders();
const { runProcess } = await import('@syncline/runtime');
const { startApi } = await import('@syncline/api');
await runProcess('api', startApi);
