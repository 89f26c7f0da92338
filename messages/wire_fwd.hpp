#pragma once
/// Names of all messages, for headers that only mention them.

namespace flowspec {

struct Segment;
struct Prunes;
struct Open;
struct Grow;
struct Restored;
struct Kept;
struct Close;
struct Cancel;
struct SegmentEnd;
struct Verdict;
struct SentRows;
struct Features;
struct Ready;
struct Tokens;
struct Closed;
struct Fault;
struct StageSpec;
struct NodeInfo;
struct StageStats;
struct TextDelta;
struct Report;
struct PartSpec;
struct ModelCard;
struct FilePiece;

template <class T>
class Wire;

using SegmentMessage = Wire<Segment>;
using PrunesMessage = Wire<Prunes>;
using OpenMessage = Wire<Open>;
using GrowMessage = Wire<Grow>;
using RestoredMessage = Wire<Restored>;
using KeptMessage = Wire<Kept>;
using CloseMessage = Wire<Close>;
using CancelMessage = Wire<Cancel>;
using SegmentEndMessage = Wire<SegmentEnd>;
using VerdictMessage = Wire<Verdict>;
using SentRowsMessage = Wire<SentRows>;
using FeaturesMessage = Wire<Features>;
using ReadyMessage = Wire<Ready>;
using TokensMessage = Wire<Tokens>;
using ClosedMessage = Wire<Closed>;
using FaultMessage = Wire<Fault>;
using StageSpecMessage = Wire<StageSpec>;
using NodeInfoMessage = Wire<NodeInfo>;
using StageStatsMessage = Wire<StageStats>;
using TextDeltaMessage = Wire<TextDelta>;
using ReportMessage = Wire<Report>;
using PartSpecMessage = Wire<PartSpec>;
using ModelCardMessage = Wire<ModelCard>;
using FilePieceMessage = Wire<FilePiece>;

}  // namespace flowspec
