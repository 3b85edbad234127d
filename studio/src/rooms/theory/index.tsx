import type { RoomProps } from "../../app";

export function TheoryRoom({ argument }: RoomProps) {
  return <h1>Theory {argument}</h1>;
}
