/** Runs a scheduler that obeys orders: `scheduler.ts [sabotage]`. */
import { z } from 'zod';
import { SABOTAGES } from '../plan.ts';
import { obeyOrders } from './orders.ts';
import { sabotageWatchdog } from './sabotage.ts';

obeyOrders();
const [sabotage] = z.tuple([z.enum(SABOTAGES).optional()]).parse(process.argv.slice(2));
const { runProcess } = await import('@syncline/runtime');
const { startScheduler } = await import('@syncline/scheduler');
if (sabotage === 'watchdog') await sabotageWatchdog();
await runProcess('scheduler', (context) => startScheduler(context));
