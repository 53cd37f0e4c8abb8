export {
  type Access,
  type AccessRequest,
  createAccess,
  crossOrigin,
  type Identify,
  type Principal,
} from './access.ts';
export { originOf } from './origin.ts';
export { type AccessToken, adminToken } from './tokens.ts';
