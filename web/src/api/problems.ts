import type { Problem } from "./types";

/** A refusal of the server: what it expected, what came, and what to do. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    message: string,
    readonly hint: string | null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** The server did not answer at all: whether it got what was sent is not known. */
export class UnreachableError extends Error {
  constructor() {
    super("the server does not answer");
    this.name = "UnreachableError";
  }
}

/** The refusal in an answer, whatever its body is. */
export function refusal(status: number, body: unknown): ApiError {
  const told = isRecord(body) && isRecord(body.error) ? (body.error as Partial<Problem>) : null;
  if (status === 401) {
    return new ApiError(
      401,
      "NoToken",
      "this server wants its token",
      "open the address that it printed when it started",
    );
  }
  if (told?.message === undefined) {
    return new ApiError(status, "HttpError", `the server answered ${status}`, null);
  }
  return new ApiError(status, told.kind ?? "HttpError", told.message, told.hint ?? null);
}

/** Any error as a plain sentence for people. */
export function sentence(error: unknown): string {
  if (error instanceof ApiError) {
    return asSentence(error.hint ? `${error.message}: ${error.hint}` : error.message);
  }
  if (error instanceof UnreachableError) return "The server does not answer; trying again.";
  return asSentence(error instanceof Error ? error.message : String(error));
}

function asSentence(text: string): string {
  const trimmed = text.trim();
  const begun = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Whether what was asked for does not exist (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}
