//! What goes into the log of a webhook that does not do: one line in a while, however many encoders ask for it. Decides it; logs nothing.

use afterlive_domain::OrganisationId;

/// By organisation.
pub(super) type Hush = crate::hush::Hush<OrganisationId>;
